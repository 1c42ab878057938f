//! The metrics in the log: CloudWatch reads them out of each answer's line.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use serde::Serialize;

/// What a line says of its metrics, under `_aws`. Their values are
/// members of the line, by their names.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Metadata {
    /// In milliseconds since 1970.
    timestamp: i64,
    cloud_watch_metrics: &'static [Directive],
}

impl Metadata {
    /// Of an answer that was made with a call of DynamoDB, or without.
    pub fn of(timestamp: i64, with_call: bool) -> Self {
        Self {
            timestamp,
            cloud_watch_metrics: if with_call {
                &DIRECTIVES
            } else {
                &DIRECTIVES[1..]
            },
        }
    }
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Directive {
    namespace: &'static str,
    dimensions: [&'static [&'static str]; 1],
    metrics: &'static [Metric],
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Metric {
    name: &'static str,
    unit: &'static str,
}

const fn directive(dimensions: &'static [&'static str], metrics: &'static [Metric]) -> Directive {
    Directive {
        namespace: "ProductCatalog",
        dimensions: [dimensions],
        metrics,
    }
}

const fn count(name: &'static str) -> Metric {
    Metric {
        name,
        unit: "Count",
    }
}

const fn milliseconds(name: &'static str) -> Metric {
    Metric {
        name,
        unit: "Milliseconds",
    }
}

/// The first is of answers that were made with a call of DynamoDB.
static DIRECTIVES: [Directive; 3] = [
    directive(
        &["FunctionName"],
        &[milliseconds("DynamoDBLatency"), count("DynamoDBRetries")],
    ),
    directive(
        &["FunctionName"],
        &[milliseconds("Latency"), count("ColdStarts")],
    ),
    directive(&["FunctionName", "Outcome"], &[count("Requests")]),
];
