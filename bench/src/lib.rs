//! What the measurements stand on: a DynamoDB whose answers cost nothing, the calls, and the tools
//! that measure.

mod call;
mod canned;
mod on_path;
mod zip;

pub use call::Call;
pub use canned::Canned;
pub use on_path::on_path;
pub use zip::zip_size;
