use catalog::{ProductRepository, proxy};
use lambda_runtime::{Context, Error, LambdaEvent};
use serde_json::Value;

/// A Lambda function of the catalog.
#[derive(Clone, Copy, Debug)]
pub enum Function {
    /// `POST /product/create`
    Create,
    /// `GET /product/find/{id}`
    Find,
}

impl Function {
    /// Does what its binary does on Lambda with an event, and gives its proxy answer.
    ///
    /// # Errors
    ///
    /// When the event is no JSON, or comes from something else than API Gateway.
    pub async fn invoke(self, products: &ProductRepository, event: &str) -> Result<Value, Error> {
        let event = LambdaEvent::new(serde_json::from_str(event)?, Context::default());
        let answer = match self {
            Self::Create => proxy(event, |request| create_product::handle(products, request)).await,
            Self::Find => proxy(event, |request| find_product::handle(products, request)).await,
        }?;
        Ok(serde_json::to_value(answer)?)
    }
}
