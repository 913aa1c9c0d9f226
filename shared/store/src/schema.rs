//! The tables' shape, for the sandbox and tests; in an account `template.yaml` makes them, and a
//! test compares the two.

use aws_sdk_dynamodb::{
    Client,
    operation::create_table::CreateTableError,
    types::{
        AttributeDefinition, BillingMode, GlobalSecondaryIndex, KeySchemaElement, KeyType, Projection,
        ProjectionType, ScalarAttributeType,
    },
};

use crate::StoreError;

/// The index of what is due, in both tables.
pub const DUE_INDEX: &str = "due";

/// Creates a table if it does not exist yet.
///
/// # Errors
/// If the service refuses for another reason than that it exists.
pub async fn create(client: &Client, table: &str) -> Result<(), StoreError> {
    let failed = |why: String| StoreError::Table { call: "CreateTable", why };
    let attribute =
        |name: &str, kind| AttributeDefinition::builder().attribute_name(name).attribute_type(kind).build();
    let key = |name: &str, kind| KeySchemaElement::builder().attribute_name(name).key_type(kind).build();
    let index = GlobalSecondaryIndex::builder()
        .index_name(DUE_INDEX)
        .key_schema(key("due_kind", KeyType::Hash).map_err(|error| failed(error.to_string()))?)
        .key_schema(key("due_at", KeyType::Range).map_err(|error| failed(error.to_string()))?)
        .projection(Projection::builder().projection_type(ProjectionType::All).build())
        .build()
        .map_err(|error| failed(error.to_string()))?;
    let mut request = client
        .create_table()
        .table_name(table)
        .billing_mode(BillingMode::PayPerRequest)
        .global_secondary_indexes(index);
    for (name, kind) in [
        ("pk", ScalarAttributeType::S),
        ("sk", ScalarAttributeType::S),
        ("due_kind", ScalarAttributeType::S),
        ("due_at", ScalarAttributeType::N),
    ] {
        request =
            request.attribute_definitions(attribute(name, kind).map_err(|error| failed(error.to_string()))?);
    }
    for (name, kind) in [("pk", KeyType::Hash), ("sk", KeyType::Range)] {
        request = request.key_schema(key(name, kind).map_err(|error| failed(error.to_string()))?);
    }
    match request.send().await {
        Ok(_) => Ok(()),
        Err(error)
            if error.as_service_error().is_some_and(CreateTableError::is_resource_in_use_exception) =>
        {
            Ok(())
        }
        Err(error) => Err(StoreError::table("CreateTable", &error)),
    }
}
