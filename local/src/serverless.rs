use std::sync::LazyLock;

use serde_yaml_ng::Value;

/// `serverless.yml`, so that the same configuration is deployed and runs here.
pub fn serverless_yml() -> &'static Value {
    static STACK: LazyLock<Value> = LazyLock::new(|| {
        serde_yaml_ng::from_str(include_str!("../../serverless.yml"))
            .expect("serverless.yml is YAML")
    });
    &STACK
}
