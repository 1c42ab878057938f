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

use crate::client;
use crate::integrity::{Checksum, UnreadableAnswer};
use crate::observe::Observer;
use crate::{Price, Product, ProductId, Title};

type Item = HashMap<String, AttributeValue>;

/// The products in their DynamoDB table.
#[derive(Clone, Debug)]
pub struct ProductRepository {
    client: Client,
    table: String,
}

/// How a product came to be in the table.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// This call wrote it.
    Now,
    /// It was there already, equal in every field: an earlier try wrote it.
    Before,
}

/// Why the repository has no product to give, or didn't take one.
#[derive(Debug, thiserror::Error)]
pub enum RepositoryError {
    /// No product has the id.
    #[error("no product has this id")]
    NotFound,
    /// Another product has the id.
    #[error("another product has this id")]
    AlreadyExists,
    /// The product is over DynamoDB's 400 KB for an item.
    #[error("the product is too large for an item")]
    TooLarge,
    /// The stored item was not written by us, nor by the original Python functions.
    #[error("the stored item has no valid {attribute}")]
    NotAProduct {
        /// The first attribute that is missing or wrong.
        attribute: &'static str,
    },
    /// DynamoDB throttles, fails or doesn't answer in time: a later call may succeed.
    #[error("DynamoDB is not available")]
    Unavailable(#[source] BoxError),
    /// DynamoDB refuses a call that should be right: the deployment is wrong, or the code.
    #[error("DynamoDB refused the call")]
    Unexpected(#[source] BoxError),
}

impl ProductRepository {
    /// The longest a call of [`create`](Self::create) or [`find`](Self::find) takes, retries and
    /// all. API Gateway would wait 29 s, a person will not.
    pub const DEADLINE: Duration = Duration::from_secs(5);

    /// The longest that one attempt takes. DynamoDB answers in
    /// milliseconds; what takes a second is lost.
    const ATTEMPT: Duration = Duration::from_secs(1);

    /// The longest that priming takes. Lambda gives an init 10 s, and our own start-up takes
    /// milliseconds: a DynamoDB that is slower than this is left to the first call and its retries.
    const PRIMING: Duration = Duration::from_millis(150);

    /// Leaves room for three attempts before the deadline. The SDK adds jitter.
    const FIRST_BACKOFF: Duration = Duration::from_millis(100);

    /// The repository of a deployed function: the table named by `DYNAMODB_TABLE`, and what
    /// [every AWS SDK reads](https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html).
    ///
    /// # Panics
    ///
    /// When `DYNAMODB_TABLE` is not set.
    #[must_use]
    pub fn from_env() -> Self {
        let table = env::var("DYNAMODB_TABLE").expect("DYNAMODB_TABLE must be set");
        Self::new(client::config_from_env(), table)
    }

    /// The products in `table`, reached as `config` says. Time-outs
    /// and retries are the repository's own.
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
            .retry_classifier(UnreadableAnswer);
        Self {
            client: Client::from_conf(config.build()),
            table: table.into(),
        }
    }

    /// Connects to DynamoDB before the first [`create`](Self::create), whose caller would wait for
    /// it: Lambda gives a whole core to an init, and a fraction of one to a call.
    ///
    /// It asks for an item without a key to be put, which DynamoDB refuses and no role has to
    /// allow. Whatever comes of it is left to the first call to find out.
    pub async fn prime_create(&self) {
        let put = self.client.put_item().table_name(&self.table);
        let refused = put.set_item(Some(Item::new())).send();
        timeout(Self::PRIMING, refused).await.ok();
    }

    /// Connects to DynamoDB before the first [`find`](Self::find), as
    /// [`prime_create`](Self::prime_create) does, by asking for the
    /// item with the empty key, which no item can have.
    pub async fn prime_find(&self) {
        let get = self.client.get_item().table_name(&self.table);
        let refused = get.key("id", AttributeValue::S(String::new())).send();
        timeout(Self::PRIMING, refused).await.ok();
    }

    /// Puts `product` into the table, unless its id is taken.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](RepositoryError::AlreadyExists) when another product has the id,
    /// [`TooLarge`](RepositoryError::TooLarge), or what keeps DynamoDB from answering.
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
        let Err(refusal) = put else {
            return Ok(Created::Now);
        };
        match refusal.as_service_error() {
            Some(PutItemError::ConditionalCheckFailedException(taken)) => {
                match taken.item().map(to_product) {
                    // An earlier try wrote it, and its answer was
                    // lost on the way to the SDK or to the caller.
                    Some(Ok(stored)) if stored == *product => Ok(Created::Before),
                    _ => Err(RepositoryError::AlreadyExists),
                }
            }
            // It has no code of its own, and no exact formula:
            // DynamoDB counts a number's bytes "approximately".
            Some(error)
                if error
                    .message()
                    .is_some_and(|text| text.contains("Item size has exceeded")) =>
            {
                Err(RepositoryError::TooLarge)
            }
            _ => Err(refusal.into()),
        }
    }

    /// The product with this id, even if it was created a moment ago.
    ///
    /// # Errors
    ///
    /// [`NotFound`](RepositoryError::NotFound), [`NotAProduct`](RepositoryError::NotAProduct), or
    /// what keeps DynamoDB from answering.
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
    // DynamoDB keeps 38 digits of a number, and drops zeros at the
    // end itself: don't let them count.
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

/// Further attributes of the item are not ours and are left alone.
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
            // DynamoDB refuses with 400. Another status is its
            // failure, or an answer that is not its own.
            SdkError::ServiceError(answer) => {
                !answer.raw().status().is_client_error()
                    || answer
                        .err()
                        .code()
                        .is_some_and(|code| THROTTLES.contains(&code))
            }
            SdkError::ConstructionFailure(_) => false,
            // No answer, or not in time, or one that cannot be read.
            _ => true,
        };
        if may_pass {
            Self::Unavailable(error.into())
        } else {
            Self::Unexpected(error.into())
        }
    }
}
