//! Who is measured.

use std::path::{Path, PathBuf};
use std::{env, fs, process};

use ::tests::release;
use bench::{Call, Canned, on_path};
use serde_json::Value;
use tokio::process::Command;

/// One way to write the functions.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Subject {
    Ours,
    /// The documentation's Rust, without the one thing that makes its first call slow: the line is
    /// `AWS_LC_SYS_NO_JITTER_ENTROPY=1`, for its build.
    OneLine,
    /// As the documentation of the SDK and of `lambda_http` shows it.
    Documentation,
    Node,
    Python,
    /// No product and no DynamoDB: what is left of a function that does nothing.
    Hello,
}

impl Subject {
    pub const ALL: [Self; 6] = [
        Self::Ours,
        Self::OneLine,
        Self::Documentation,
        Self::Node,
        Self::Python,
        Self::Hello,
    ];
    /// Those that have products.
    pub const WITH_PRODUCTS: [Self; 5] = [
        Self::Ours,
        Self::OneLine,
        Self::Documentation,
        Self::Node,
        Self::Python,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Self::Ours => "this service",
            Self::OneLine => "documentation's Rust, one line more",
            Self::Documentation => "documentation's Rust",
            Self::Node => "Node",
            Self::Python => "Python",
            Self::Hello => "hello world",
        }
    }

    /// What is deployed: a binary, a bundle or a source.
    pub fn file(self, call: &Call) -> PathBuf {
        let function = call.package.trim_end_matches("-product");
        match self {
            Self::Ours => release(call.package),
            Self::OneLine => built("one-line/lambda").join(function).join("bootstrap"),
            Self::Documentation => built("lambda").join(function).join("bootstrap"),
            Self::Node => built("node").join(format!("{function}.js")),
            Self::Python => peers().join(format!("python/{function}.py")),
            Self::Hello => built("lambda/hello/bootstrap"),
        }
    }

    /// What Lambda starts for it.
    pub fn command(self, call: &Call) -> Command {
        let file = self.file(call);
        match self {
            Self::Node => {
                let mut command = Command::new(on_path("node").expect("node on PATH"));
                command.arg(peers().join("node/runtime.cjs")).arg(file);
                command
            }
            Self::Python => {
                let mut command = Command::new(built("python/bin/python"));
                let module = file.file_stem().expect("a name").to_owned();
                command.arg(peers().join("python/runtime.py")).arg(module);
                command
            }
            _ => Command::new(file),
        }
    }

    /// Checks status and body of a response.
    pub fn check(self, call: &Call, response: &Value) {
        match self {
            Self::Hello => {
                assert_eq!(response["statusCode"], 200, "{response}");
                assert_eq!(response["body"], "hello world");
            }
            // The original responds with 200, and with what boto3 gave, for all that DynamoDB does
            // not refuse.
            Self::Python => {
                assert_eq!(response["statusCode"], 200, "{response}");
                let body: Value = serde_json::from_str(response["body"].as_str().expect("a body"))
                    .expect("JSON in the body");
                assert_eq!(body["ResponseMetadata"]["HTTPStatusCode"], 200, "{body}");
                if call.name == Call::FOUND.name {
                    let product = call.product();
                    for (attribute, kind) in [
                        ("id", "S"),
                        ("title", "S"),
                        ("description", "S"),
                        ("price", "N"),
                    ] {
                        assert_eq!(body["Item"][attribute][kind], product[attribute]);
                    }
                }
            }
            _ => call.check(response),
        }
    }
}

/// The files of certificates that the subjects read.
pub struct Roots<'a> {
    dynamodb: &'a Canned,
    folder: PathBuf,
    ours: String,
    systems: String,
    root: String,
    /// How many the system's file has.
    pub count: usize,
}

impl<'a> Roots<'a> {
    const SYSTEMS: &'static str = "/etc/ssl/certs/ca-certificates.crt";

    pub fn of(dynamodb: &'a Canned) -> Self {
        let folder = env::temp_dir().join(format!("product-catalog-roots-{}", process::id()));
        fs::create_dir(&folder).expect("a folder");
        let file = |name: &str, others: &str| {
            let file = folder.join(name);
            fs::write(&file, format!("{others}\n{}", dynamodb.root())).expect("a file");
            file.to_str().expect("text").to_owned()
        };
        let systems = fs::read_to_string(Self::SYSTEMS)
            .unwrap_or_else(|error| panic!("{} cannot be read: {error}", Self::SYSTEMS));
        Self {
            dynamodb,
            ours: file(
                "ours.pem",
                include_str!("../../../../shared/src/table/aws-roots.pem"),
            ),
            systems: file("systems.pem", &systems),
            root: file("root.pem", ""),
            count: systems.matches("BEGIN CERTIFICATE").count(),
            folder,
        }
    }

    /// The environment of a subject.
    pub fn variables(&self, subject: Subject) -> Vec<(&str, &str)> {
        let mut variables = self.dynamodb.variables().to_vec();
        variables.retain(|(name, _)| *name != "AWS_CA_BUNDLE");
        // Lambda sets it beside AWS_REGION, and boto3 reads no other.
        variables.push(("AWS_DEFAULT_REGION", "eu-central-1"));
        variables.extend(match subject {
            Subject::Ours => vec![("AWS_CA_BUNDLE", self.ours.as_str())],
            Subject::OneLine | Subject::Documentation => {
                vec![("SSL_CERT_FILE", self.systems.as_str())]
            }
            Subject::Node => vec![
                // Beside those that are compiled into Node.
                ("NODE_EXTRA_CA_CERTS", self.root.as_str()),
                // What the SDK will need in 2027 is no part of a start.
                ("AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED", "true"),
            ],
            Subject::Python => vec![
                ("AWS_CA_BUNDLE", self.systems.as_str()),
                // As on Lambda, whose folder of code cannot be written.
                ("PYTHONDONTWRITEBYTECODE", "1"),
            ],
            Subject::Hello => vec![],
        });
        variables
    }
}

impl Drop for Roots<'_> {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.folder).unwrap_or_default();
    }
}

fn peers() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("peers")
}

fn built(peer: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("../target/peers")
        .join(peer)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use bench::Canned;

    use super::{Roots, Subject};

    #[tokio::test]
    async fn every_subject_has_the_same_environment_except_for_certificates() {
        let dynamodb = Canned::start(Duration::ZERO).await;
        let roots = Roots::of(&dynamodb);
        for subject in Subject::ALL {
            let variables = roots.variables(subject);
            for variable in dynamodb.variables() {
                if variable.0 != "AWS_CA_BUNDLE" {
                    assert!(variables.contains(&variable), "{subject:?}: {variable:?}");
                }
            }
        }
    }
}
