use catalog::ProductRepository;
use lambda_http::request::LambdaRequest;
use lambda_http::{Adapter, Service};
use lambda_runtime::{Context, Error, LambdaEvent, service_fn};
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
    /// When the event comes from something else than API Gateway.
    pub async fn invoke(self, products: &ProductRepository, event: &str) -> Result<Value, Error> {
        let event: LambdaRequest = serde_json::from_str(event)?;
        let handle = service_fn(async |request| {
            Ok::<_, Error>(match self {
                Self::Create => create_product::handle(products, request).await,
                Self::Find => find_product::handle(products, request).await,
            })
        });
        let event = LambdaEvent::new(event, Context::default());
        let answer = Adapter::from(handle).call(event).await?;
        Ok(serde_json::to_value(answer)?)
    }
}
