//! How the cost of a call of this service grows with the embedded DynamoDB's table.

use std::collections::HashMap;

use bench::Call;
use dynoxide::types::AttributeValue;
use dynoxide::{Database, ImportOptions};
use local::LocalDynamoDb;

use crate::figures::{Figures, Under};
use crate::life::Life;
use crate::subject::Subject;

const CALLS: usize = 40;
/// The number of items in each import.
const AT_ONCE: usize = 50_000;

/// A DynamoDB with this many items.
pub struct Table {
    items: usize,
    url: String,
    created: usize,
}

impl Table {
    pub async fn of(items: usize) -> Self {
        let database = Database::memory().expect("a database");
        let dynamodb = LocalDynamoDb::over(database.clone())
            .await
            .expect("it starts");
        for start in (0..items).step_by(AT_ONCE) {
            let part = (start..items.min(start + AT_ONCE)).map(item).collect();
            database
                .import_items(LocalDynamoDb::TABLE, part, ImportOptions::default())
                .expect("items");
        }
        Self {
            items,
            url: dynamodb.url(),
            created: 0,
        }
    }

    /// Measures warm calls, each with a different product, in the environment of this service.
    pub async fn measure(&mut self, variables: &[(&str, &str)], figures: &mut Figures) {
        let variables = [variables, &[("AWS_ENDPOINT_URL", self.url.as_str())]].concat();
        for call in [Call::FOUND, Call::CREATED] {
            let mut life = Life::start(Subject::Ours, &variables, &call, None).await;
            for number in 0..=CALLS {
                let id = if call.name == Call::FOUND.name {
                    // Spread over the table.
                    id(number * self.items / (CALLS + 1))
                } else {
                    self.created += 1;
                    format!("created-{}", self.created)
                };
                let timing = life.call(&call.clone().of(id)).await;
                if number > 0 {
                    let under = Under::Items(self.items);
                    figures.time(Subject::Ours, call.name, under, false, timing);
                }
            }
            life.end().await;
        }
    }
}

fn id(number: usize) -> String {
    format!("product-{number}")
}

fn item(number: usize) -> HashMap<String, AttributeValue> {
    let mut product = Call::FOUND.of(id(number)).product();
    let mut take = |name: &str| match product[name].take() {
        serde_json::Value::String(text) => text,
        other => panic!("{other} is not text"),
    };
    HashMap::from([
        ("id".to_owned(), AttributeValue::S(take("id"))),
        ("title".to_owned(), AttributeValue::S(take("title"))),
        (
            "description".to_owned(),
            AttributeValue::S(take("description")),
        ),
        ("price".to_owned(), AttributeValue::N(take("price"))),
    ])
}
