mod http;

use std::fs::File;
use std::path::Path;

use aws_credential_types::Credentials;
use aws_sdk_dynamodb::config::retry::RetryPartition;
use aws_sdk_dynamodb::config::{BehaviorVersion, Builder, Region};
use aws_sdk_dynamodb::error::BoxError;
use catalog::{ProductRepository, https_client};
use dynoxide::Database;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};

use crate::server::Server;
use crate::serverless::serverless_yml;

/// An embedded DynamoDB on this machine with the table of `serverless.yml`.
#[derive(Debug)]
pub struct LocalDynamoDb(Server);

impl LocalDynamoDb {
    /// The table's name: the default of `serverless.yml`, and that of the original sample.
    pub const TABLE: &str = "PRODUCT_CATALOG";

    /// Starts it on a free port, with the table in `file`, or in memory if there is none. It stops
    /// with the runtime on which it was started.
    ///
    /// # Errors
    ///
    /// If `file` cannot be opened or is not a catalog, or no port is free.
    pub async fn start(file: Option<&Path>) -> Result<Self, BoxError> {
        let database = match file {
            Some(file) => {
                may_keep_a_catalog(file)?;
                Database::new(file.to_str().ok_or("its name is not UTF-8")?)?
            }
            None => Database::memory()?,
        };
        Self::over(database).await
    }

    /// Starts it on a free port with a database, and creates the table if it is missing. It stops
    /// with the runtime on which it was started.
    ///
    /// # Errors
    ///
    /// If the table in `database` is not a catalog, or no port is free.
    pub async fn over(database: Database) -> Result<Self, BoxError> {
        let tables = database.list_tables(serde_json::from_value(json!({}))?)?;
        if tables.table_names.iter().any(|name| name == Self::TABLE) {
            let described = json!({ "TableName": Self::TABLE });
            let described = database.describe_table(serde_json::from_value(described)?)?;
            let key = &serde_json::to_value(described)?["Table"]["KeySchema"];
            if *key != table()["KeySchema"] {
                return Err(
                    format!("the key of its table {} is not the catalog's", Self::TABLE).into(),
                );
            }
        } else {
            database.create_table(serde_json::from_value(table())?)?;
        }
        Ok(Self(Server::start(0, http::routes(database), None).await?))
    }

    /// Its URL for AWS clients, with any credentials and any region.
    #[must_use]
    pub fn url(&self) -> String {
        self.0.url()
    }

    /// The products in its table.
    #[must_use]
    pub fn products(&self) -> ProductRepository {
        Self::products_at(&self.url())
    }

    /// The products in the table of any DynamoDB on this machine, regardless of the machine's AWS
    /// settings.
    #[must_use]
    pub fn products_at(url: &str) -> ProductRepository {
        ProductRepository::new(Self::config_at(url), Self::TABLE)
    }

    /// The configuration of an AWS client for any DynamoDB on this machine.
    #[must_use]
    pub fn config_at(url: &str) -> Builder {
        aws_sdk_dynamodb::Config::builder()
            .behavior_version(BehaviorVersion::latest())
            .credentials_provider(Credentials::new("local", "local", None, None, "local"))
            .endpoint_url(url)
            .http_client(https_client(&[]).expect("no roots are valid roots"))
            .region(Region::from_static("local"))
            // The SDK has one retry quota per process. A failing DynamoDB must not use up the quota
            // of another.
            .retry_partition(RetryPartition::new(url.to_owned()))
    }
}

/// Rejects a file that dynoxide would accept, or would reject without saying why.
fn may_keep_a_catalog(file: &Path) -> Result<(), BoxError> {
    // SQLite also opens read-only files, but then no product could be created.
    File::options().append(true).create(true).open(file)?;
    // dynoxide would add its tables to another program's database.
    let is_new_or_ours = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_WRITE)?
        .query_row(
            "SELECT count(*) = 0 OR max(name = '_tables') FROM sqlite_master",
            [],
            |row| row.get::<_, bool>(0),
        )?;
    if is_new_or_ours {
        Ok(())
    } else {
        Err("it is another program's database".into())
    }
}

/// The table as deployed, so that the tests use the same one: CloudFormation and CreateTable use
/// the same names for these properties.
fn table() -> Value {
    let resources = &serverless_yml()["resources"]["Resources"];
    let deployed = &resources["ProductCatalogDynamoDBTable"]["Properties"];
    json!({
        "TableName": LocalDynamoDb::TABLE,
        "AttributeDefinitions": deployed["AttributeDefinitions"],
        "BillingMode": deployed["BillingMode"],
        "KeySchema": deployed["KeySchema"],
    })
}
