use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::Builder;
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use tokio::time::timeout;

use super::checksum::{Checksum, UnreadableResponse};
use super::config::config_from_env;
use crate::product::{Price, Product, ProductId, Title};
use crate::telemetry::call::Observer;

type Item = HashMap<String, AttributeValue>;

/// The products in their DynamoDB table.
#[derive(Clone, Debug)]
pub struct ProductRepository {
    client: Client,
    table: String,
}

/// Which request wrote a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// This one.
    Now,
    /// An earlier one: the stored product is equal in every field.
    Before,
}

/// Why a product was not created or not found.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// No product has the id.
    #[error("no product has this id")]
    NotFound,
    /// Another product has the id.
    #[error("another product has this id")]
    AlreadyExists,
    /// The product exceeds DynamoDB's 400 KB for an item.
    #[error("the product is too large for an item")]
    TooLarge,
    /// Neither this service nor the original Python functions wrote the stored item.
    #[error("the stored item has no valid {attribute}")]
    NotAProduct {
        /// The first attribute that is missing or invalid.
        attribute: &'static str,
    },
    /// DynamoDB throttles, fails or does not respond in time. A later call may succeed.
    #[error("DynamoDB is not available")]
    Unavailable(#[source] BoxError),
    /// DynamoDB rejected the call, so the deployment or the code is wrong.
    #[error("DynamoDB refused the call")]
    Unexpected(#[source] BoxError),
}

impl ProductRepository {
    /// The longest that [`create`](Self::create) or [`find`](Self::find) takes, retries included.
    /// API Gateway would wait 29 s; a person will not.
    pub const DEADLINE: Duration = Duration::from_secs(5);

    /// The longest that one attempt takes. DynamoDB responds in milliseconds; an attempt that takes
    /// a second is lost.
    const ATTEMPT: Duration = Duration::from_secs(1);

    /// The longest that priming takes. Lambda allows 10 s for init, and our own takes milliseconds.
    /// If DynamoDB is slower than this, the first call and its retries have to connect.
    const PRIMING: Duration = Duration::from_millis(150);

    /// Leaves time for three attempts before the deadline. The SDK adds jitter.
    const FIRST_BACKOFF: Duration = Duration::from_millis(100);

    /// The repository of a deployed function: `DYNAMODB_TABLE` names the table, and
    /// [AWS's standard variables](https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html)
    /// configure the client.
    ///
    /// # Panics
    ///
    /// If `DYNAMODB_TABLE` is not set.
    #[must_use]
    pub fn from_env() -> Self {
        let table = env::var("DYNAMODB_TABLE").expect("DYNAMODB_TABLE must be set");
        Self::new(config_from_env(), table)
    }

    /// The products in `table`. The repository replaces the time-outs and retries of `config` with
    /// its own.
    #[must_use]
    pub fn new(config: Builder, table: impl Into<String>) -> Self {
        let config = config
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(Self::DEADLINE)
                    .operation_attempt_timeout(Self::ATTEMPT)
                    .build(),
            )
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(3)
                    .with_initial_backoff(Self::FIRST_BACKOFF),
            )
            .interceptor(Checksum)
            .interceptor(Observer)
            .retry_classifier(UnreadableResponse);
        Self {
            client: Client::from_conf(config.build()),
            table: table.into(),
        }
    }

    /// Connects to DynamoDB before the first [`create`](Self::create), so that its caller does not
    /// wait: Lambda gives init a full core, and an invocation only a fraction of one.
    ///
    /// It puts an item without a key, which DynamoDB rejects and no role has to allow. A failure is
    /// ignored, because the first call would report it.
    pub async fn prime_create(&self) {
        let put = self.client.put_item().table_name(&self.table);
        let refused = put.set_item(Some(Item::new())).send();
        timeout(Self::PRIMING, refused).await.ok();
    }

    /// Connects to DynamoDB before the first [`find`](Self::find), as
    /// [`prime_create`](Self::prime_create) does, by getting the item with the empty key, which no
    /// item can have.
    pub async fn prime_find(&self) {
        let get = self.client.get_item().table_name(&self.table);
        let refused = get.key("id", AttributeValue::S(String::new())).send();
        timeout(Self::PRIMING, refused).await.ok();
    }

    /// Writes `product`, unless its id is taken.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](RepositoryError::AlreadyExists) if another product has the id,
    /// [`TooLarge`](RepositoryError::TooLarge), or the reason why DynamoDB did not respond.
    pub async fn create(&self, product: &Product) -> Result<Created, RepositoryError> {
        let put = self
            .client
            .put_item()
            .table_name(&self.table)
            .set_item(Some(to_item(product)))
            .condition_expression("attribute_not_exists(id)")
            .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld)
            .send()
            .await;
        let Err(error) = put else {
            return Ok(Created::Now);
        };
        match error.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(taken)) => {
                match taken.item().map(to_product) {
                    // An earlier attempt wrote it, and its response was lost on the way to the SDK
                    // or to the caller.
                    Some(Ok(stored)) if stored == *product => Ok(Created::Before),
                    _ => Err(RepositoryError::AlreadyExists),
                }
            }
            // This error has no code of its own, and the size cannot be checked before: DynamoDB
            // counts a number's bytes only "approximately".
            Some(rejection)
                if rejection
                    .message()
                    .is_some_and(|text| text.contains("Item size has exceeded")) =>
            {
                Err(RepositoryError::TooLarge)
            }
            _ => Err(error.into()),
        }
    }

    /// The product with this id, by a strongly consistent read.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound), [`NotAProduct`](RepositoryError::NotAProduct), or
    /// the reason why DynamoDB did not respond.
    pub async fn find(&self, id: &ProductId) -> Result<Product, RepositoryError> {
        let found = self
            .client
            .get_item()
            .table_name(&self.table)
            .key("id", AttributeValue::S(id.as_str().to_owned()))
            .consistent_read(true)
            .send()
            .await?;
        to_product(&found.item.ok_or(RepositoryError::NotFound)?)
    }
}

fn to_item(product: &Product) -> Item {
    // DynamoDB stores 38 digits of a number and drops trailing zeros, so these must not count.
    let price = product
        .price
        .as_str()
        .trim_end_matches('0')
        .trim_end_matches('.');
    Item::from([
        (
            "id".to_owned(),
            AttributeValue::S(product.id.as_str().to_owned()),
        ),
        (
            "title".to_owned(),
            AttributeValue::S(product.title.as_str().to_owned()),
        ),
        (
            "description".to_owned(),
            AttributeValue::S(product.description.clone()),
        ),
        ("price".to_owned(), AttributeValue::N(price.to_owned())),
    ])
}

/// Ignores further attributes, which belong to others.
fn to_product(item: &Item) -> Result<Product, RepositoryError> {
    fn read<T>(
        item: &Item,
        attribute: &'static str,
        parse: impl Fn(&AttributeValue) -> Option<T>,
    ) -> Result<T, RepositoryError> {
        item.get(attribute)
            .and_then(parse)
            .ok_or(RepositoryError::NotAProduct { attribute })
    }

    Ok(Product {
        id: read(item, "id", |value| {
            ProductId::parse(value.as_s().ok()?).ok()
        })?,
        title: read(item, "title", |value| Title::parse(value.as_s().ok()?).ok())?,
        description: read(item, "description", |value| value.as_s().ok().cloned())?,
        price: read(item, "price", |value| Price::parse(value.as_n().ok()?).ok())?,
    })
}

impl<E: ProvideErrorMetadata + Error + Send + Sync + 'static> From<SdkError<E>>
    for RepositoryError
{
    fn from(error: SdkError<E>) -> Self {
        /// <https://docs.aws.amazon.com/amazondynamodb/latest/developerguide/Programming.Errors.html>
        const THROTTLES: [&str; 3] = [
            "ProvisionedThroughputExceededException",
            "RequestLimitExceeded",
            "ThrottlingException",
        ];

        let may_pass = match &error {
            // DynamoDB rejects a call with 400. Any other status is a failure, or comes from
            // something in between.
            SdkError::ServiceError(response) => {
                !response.raw().status().is_client_error()
                    || response
                        .err()
                        .code()
                        .is_some_and(|code| THROTTLES.contains(&code))
            }
            SdkError::ConstructionFailure(_) => false,
            // No response, a late one, or one that cannot be read.
            _ => true,
        };
        if may_pass {
            Self::Unavailable(error.into())
        } else {
            Self::Unexpected(error.into())
        }
    }
}
