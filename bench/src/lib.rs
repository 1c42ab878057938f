//! What the measurements share: a DynamoDB whose responses cost nothing, the calls, and the tools.

mod call;
mod canned;
mod on_path;
mod zip;

pub use call::Call;
pub use canned::Canned;
pub use on_path::on_path;
pub use zip::zip_size;
