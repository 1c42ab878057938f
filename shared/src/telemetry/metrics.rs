//! The metrics in the log: CloudWatch extracts them from each response's line.
//! <https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/CloudWatch_Embedded_Metric_Format_Specification.html>

use serde::Serialize;

/// The `_aws` member of a line, which declares which other members are metrics.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
pub(crate) struct Metadata {
    /// In milliseconds since the Unix epoch.
    timestamp: i64,
    cloud_watch_metrics: &'static [Directive],
}

impl Metadata {
    /// For a response with or without a DynamoDB call.
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

/// The first applies only to responses with a DynamoDB call.
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
