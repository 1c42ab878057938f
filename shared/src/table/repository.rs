use std::collections::HashMap;
use std::env;
use std::error::Error;
use std::time::Duration;

use aws_config::retry::RetryConfig;
use aws_config::timeout::TimeoutConfig;
use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::config::{Builder, StalledStreamProtectionConfig};
use aws_sdk_dynamodb::error::{BoxError, ProvideErrorMetadata, SdkError};
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::types::{AttributeValue, ReturnValuesOnConditionCheckFailure};
use tokio::time::{Instant, timeout, timeout_at};

use super::config::config_from;
use super::credentials::Rejected;
use super::distrust::Distrust;
use super::errors::{Reaction, RetryErrors};
use crate::product::{Price, Product, ProductId, Title};
use crate::telemetry::call::{Observer, root_cause};

type Item = HashMap<String, AttributeValue>;

/// The products in their DynamoDB table.
#[derive(Clone, Debug)]
pub struct ProductRepository {
    client: Client,
    rejected: Rejected,
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

    /// The longest wait before the first retry. The SDK doubles it for each further one, up to
    /// [`LAST_BACKOFF`](Self::LAST_BACKOFF), and waits for a random part of it. Even at their
    /// longest, these waits leave time for five attempts that get no response, so that a change of
    /// DynamoDB's leader, which takes up to 4 s, ends before the last.
    const FIRST_BACKOFF: Duration = Duration::from_millis(50);

    /// The longest wait before any retry.
    const LAST_BACKOFF: Duration = Duration::from_secs(1);

    /// More attempts than these waits leave time for. If DynamoDB asks for shorter ones, a call
    /// still leaves a part of the SDK's retry quota, which ends the retries when DynamoDB fails for
    /// long.
    const ATTEMPTS: u32 = 30;

    /// The repository of a deployed function: `DYNAMODB_TABLE` names the table, and
    /// [AWS's standard variables](https://docs.aws.amazon.com/sdkref/latest/guide/settings-reference.html)
    /// configure the client.
    ///
    /// # Errors
    ///
    /// A sentence that names the variable which is missing or invalid.
    pub fn from_env() -> Result<Self, String> {
        let variable = |name: &str| env::var(name).ok().filter(|value| !value.is_empty());
        let table = variable("DYNAMODB_TABLE").ok_or("DYNAMODB_TABLE must name the table")?;
        Ok(Self::new(config_from(variable)?, table))
    }

    /// The products in `table`. The repository replaces the time-outs and retries of `config` with
    /// its own.
    #[must_use]
    pub fn new(config: Builder, table: impl Into<String>) -> Self {
        let rejected = Rejected::default();
        let config = config
            .timeout_config(
                TimeoutConfig::builder()
                    .operation_timeout(Self::DEADLINE)
                    .operation_attempt_timeout(Self::ATTEMPT)
                    .build(),
            )
            .retry_config(
                RetryConfig::standard()
                    .with_max_attempts(Self::ATTEMPTS)
                    .with_initial_backoff(Self::FIRST_BACKOFF)
                    .with_max_backoff(Self::LAST_BACKOFF),
            )
            // The attempt's time-out includes the response's body.
            .stalled_stream_protection(StalledStreamProtectionConfig::disabled())
            .interceptor(Distrust)
            .interceptor(Observer)
            .interceptor(rejected.clone())
            .retry_classifier(RetryErrors);
        Self {
            client: Client::from_conf(config.build()),
            rejected,
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

    /// Whether DynamoDB rejected the credentials of the last attempt that it responded to: they
    /// have expired or were revoked, and only a new process can get others.
    #[must_use]
    pub fn lost_its_credentials(&self) -> bool {
        self.rejected.get()
    }

    /// Writes `product`, unless its id is taken.
    ///
    /// # Errors
    ///
    /// [`AlreadyExists`](RepositoryError::AlreadyExists) if another product has the id,
    /// [`TooLarge`](RepositoryError::TooLarge), or the reason why DynamoDB did not respond.
    pub async fn create(&self, product: &Product) -> Result<Created, RepositoryError> {
        let deadline = Instant::now() + Self::DEADLINE;
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
                let stored = match taken.item() {
                    Some(item) => to_product(item),
                    None => self.stored_instead_of(product, deadline).await,
                };
                match stored {
                    // An earlier attempt wrote it, and its response was lost on the way to the SDK
                    // or to the caller.
                    Ok(stored) if stored == *product => Ok(Created::Before),
                    Ok(_) | Err(RepositoryError::NotAProduct { .. }) => {
                        Err(RepositoryError::AlreadyExists)
                    }
                    Err(error) => Err(error),
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

    /// The product whose id `product` has, for a DynamoDB-compatible store that refuses a write
    /// without saying what is stored. DynamoDB says so; the role of the function that creates does
    /// not allow this read.
    async fn stored_instead_of(
        &self,
        product: &Product,
        deadline: Instant,
    ) -> Result<Product, RepositoryError> {
        match timeout_at(deadline, self.find(&product.id)).await {
            Ok(Err(error @ RepositoryError::NotFound)) => {
                // Deleted in between, so that a retry can succeed.
                Err(RepositoryError::Unavailable(error.into()))
            }
            Ok(found) => found,
            Err(late) => Err(RepositoryError::Unavailable(late.into())),
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
        let was_sent = match &error {
            SdkError::ServiceError(response) => {
                let reaction = Reaction::of(response.raw(), response.err().meta());
                return match reaction {
                    Reaction::Mistake => Self::Unexpected(error.into()),
                    _ => Self::Unavailable(error.into()),
                };
            }
            SdkError::ConstructionFailure(_) => false,
            // Of the network's failures, the SDK knows the kind.
            SdkError::DispatchFailure(failure) => {
                !failure.is_user() && (!failure.is_other() || failure.as_other().is_some())
            }
            // A late response, or one that cannot be read.
            _ => true,
        };
        let cause = root_cause(&error).to_string().into();
        if was_sent {
            Self::Unavailable(cause)
        } else {
            Self::Unexpected(cause)
        }
    }
}
