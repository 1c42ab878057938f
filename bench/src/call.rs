use std::borrow::Cow;
use std::collections::BTreeMap;

use serde_json::{Value, json};

/// A kind of call of a function, and the response that it must get.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its name in the figures.
    pub name: &'static str,
    /// The package of the function.
    pub package: &'static str,
    event: &'static str,
    id: Cow<'static, str>,
    title: &'static str,
    description: Cow<'static, str>,
    status: u16,
    by_browser: bool,
}

impl Call {
    const CREATE: &'static str = include_str!("../../tests/events/create-on-DEV.json");
    const FIND: &'static str = include_str!("../../tests/events/find-on-DEV.json");
    /// The headers of a browser's request, and those that a content delivery network and API
    /// Gateway add.
    const BROWSER: &'static str = include_str!("browser.json");

    /// A new product.
    pub const CREATED: Self = Self::create("created", "1002", 201);
    /// An existing product.
    pub const FOUND: Self = Self::find("found", "1001", 200);
    /// All four: 201, 409, 200, 404.
    pub const ALL: [Self; 4] = [
        Self::CREATED,
        Self::create("taken", "1001", 409),
        Self::FOUND,
        Self::find("missing", "1002", 404),
    ];

    const fn create(name: &'static str, id: &'static str, status: u16) -> Self {
        Self {
            name,
            package: "create-product",
            event: Self::CREATE,
            id: Cow::Borrowed(id),
            // Different from the existing product, which would not be a conflict.
            title: "Echo",
            description: Cow::Borrowed("Smart speaker"),
            status,
            by_browser: false,
        }
    }

    const fn find(name: &'static str, id: &'static str, status: u16) -> Self {
        Self {
            name,
            package: "find-product",
            event: Self::FIND,
            id: Cow::Borrowed(id),
            title: "Amazon Echo",
            description: Cow::Borrowed("Smart speaker"),
            status,
            by_browser: false,
        }
    }

    /// The same call for a product with this id.
    #[must_use]
    pub fn of(self, id: String) -> Self {
        Self {
            id: id.into(),
            ..self
        }
    }

    /// The same call for a product whose description has this many kilobytes. A
    /// [`Canned`](crate::Canned) has one of each size.
    #[must_use]
    pub fn sized(self, kilobytes: usize) -> Self {
        Self {
            description: "x".repeat(kilobytes * 1024).into(),
            ..self.of(format!("{kilobytes}KB"))
        }
    }

    /// The same call, not by curl but by a browser through a content delivery network: its event
    /// has 27 headers instead of 8.
    #[must_use]
    pub fn by_browser(self) -> Self {
        Self {
            by_browser: true,
            ..self
        }
    }

    /// The product that is created or found.
    #[must_use]
    pub fn product(&self) -> Value {
        json!({ "id": self.id, "title": self.title, "description": self.description, "price": "89.99" })
    }

    /// API Gateway's event.
    #[must_use]
    pub fn event(&self) -> String {
        let mut event: Value = serde_json::from_str(self.event).expect("JSON");
        if self.event == Self::FIND {
            event["pathParameters"]["id"] = self.id.as_ref().into();
        } else {
            event["body"] = self.product().to_string().into();
        }
        if self.by_browser {
            let headers: BTreeMap<String, String> =
                serde_json::from_str(Self::BROWSER).expect("headers");
            for (name, value) in headers {
                event["headers"][&name] = value.as_str().into();
                event["multiValueHeaders"][name] = [value].as_slice().into();
            }
        }
        event.to_string()
    }

    /// Checks the status and the body of a response.
    pub fn check(&self, response: &Value) {
        assert_eq!(
            response["statusCode"], self.status,
            "{}: {response}",
            self.name
        );
        let body = response["body"].as_str().unwrap_or_default();
        let body: Value = serde_json::from_str(body).unwrap_or_default();
        if self.status < 300 {
            assert_eq!(body, self.product(), "{}", self.name);
        } else {
            // A problem contains its status.
            assert_eq!(body["status"], self.status, "{}: {response}", self.name);
        }
    }
}
