use std::env;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, SystemTime};

use serde::Serialize;

use super::call::Call;

/// The trace id in X-Ray's trace header.
pub(crate) fn trace_id(header: &str) -> Option<&str> {
    field(header, "Root")
}

/// Sends `call` to X-Ray as a subsegment of the function, if `header` says that the request is
/// sampled: one datagram to the daemon that Lambda runs beside the function.
/// <https://docs.aws.amazon.com/xray/latest/devguide/xray-api-segmentdocuments.html>
pub(crate) fn send(header: &str, call: &Call) {
    let (Some(trace_id), Some(parent_id), Some("1")) = (
        field(header, "Root"),
        field(header, "Parent"),
        field(header, "Sampled"),
    ) else {
        return;
    };
    if let Ok(daemon) = env::var("AWS_XRAY_DAEMON_ADDRESS")
        && let Ok(daemon) = daemon.parse::<SocketAddr>()
        && let Ok(socket) = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))
    {
        let subsegment = subsegment(trace_id, parent_id, call);
        // The caller must get the response even if the trace is lost.
        socket.send_to(subsegment.as_bytes(), daemon).ok();
    }
}

fn field<'a>(header: &'a str, name: &str) -> Option<&'a str> {
    let mut fields = header.split(';').filter_map(|field| field.split_once('='));
    fields.find_map(|(key, value)| (key == name).then_some(value))
}

fn subsegment(trace_id: &str, parent_id: &str, call: &Call) -> String {
    #[derive(Serialize)]
    struct Subsegment<'a> {
        name: &'static str,
        id: String,
        parent_id: &'a str,
        trace_id: &'a str,
        r#type: &'static str,
        namespace: &'static str,
        start_time: f64,
        end_time: f64,
        error: bool,
        fault: bool,
        http: Http,
        aws: Aws<'a>,
    }
    #[derive(Serialize)]
    struct Http {
        response: Response,
    }
    #[derive(Serialize)]
    struct Response {
        #[serde(skip_serializing_if = "Option::is_none")]
        status: Option<u16>,
    }
    #[derive(Serialize)]
    struct Aws<'a> {
        operation: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        request_id: Option<&'a str>,
        retries: u32,
    }

    let begin = call.began.duration_since(SystemTime::UNIX_EPOCH);
    let begin = begin.unwrap_or(Duration::ZERO);
    let is_refused = matches!(call.status, Some(400..500));
    let is_success = matches!(call.status, Some(200..300));
    let subsegment = Subsegment {
        name: "DynamoDB",
        id: format!("{:016x}", fastrand::u64(..)),
        parent_id,
        trace_id,
        r#type: "subsegment",
        namespace: "aws",
        start_time: begin.as_secs_f64(),
        end_time: (begin + call.latency()).as_secs_f64(),
        error: is_refused,
        fault: !is_refused && !is_success,
        http: Http {
            response: Response {
                status: call.status,
            },
        },
        aws: Aws {
            operation: &call.operation,
            request_id: call.request_id.as_deref(),
            retries: call.retries(),
        },
    };
    let subsegment = serde_json::to_string(&subsegment).expect("it can be written as JSON");
    // The daemon's header, and then the document.
    format!("{{\"format\":\"json\",\"version\":1}}\n{subsegment}")
}
