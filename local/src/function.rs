use catalog::{Cors, ProductRepository, serve};
use create_product::create;
use find_product::find;
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
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Create, Self::Find];

    /// The method and resource that it serves, such as `GET /product/find/{id}`.
    #[must_use]
    pub const fn route(self) -> &'static str {
        match self {
            Self::Create => create_product::ROUTE,
            Self::Find => find_product::ROUTE,
        }
    }

    /// Serves an event as the function's binary does on Lambda, without CORS, and returns its proxy
    /// response.
    ///
    /// # Errors
    ///
    /// If the event is not JSON, or comes from anything other than API Gateway.
    pub async fn invoke(self, products: &ProductRepository, event: &str) -> Result<Value, Error> {
        self.invoke_with(&Cors::default(), products, event).await
    }

    pub(crate) async fn invoke_with(
        self,
        cors: &Cors,
        products: &ProductRepository,
        event: &str,
    ) -> Result<Value, Error> {
        let event = LambdaEvent::new(serde_json::from_str(event)?, Context::default());
        let route = self.route();
        let response = match self {
            Self::Create => serve(route, cors, products, event, create).await,
            Self::Find => serve(route, cors, products, event, find).await,
        }?;
        Ok(serde_json::to_value(response)?)
    }
}
