//! The registry: who may sign in, and which identities are theirs.

use aws_sdk_dynamodb::types::AttributeValue;
use domain::{
    PersonId,
    approval::{Identity, Person},
    encoding,
};

use super::Approvals;
use crate::{
    StoreError,
    events::get,
    item::{Item, key, nested, read, s, text},
    transaction::{Cancelled, Transaction},
};

const REGISTRY: &str = "REGISTRY";

/// An identity that nobody else has.
const FREE: &str = "attribute_not_exists(pk) OR owner_id = :me";

impl Approvals {
    /// Puts a person with all identities, and takes away those that they have no longer.
    ///
    /// # Errors
    /// A conflict if an identity belongs to somebody else: take it from them first.
    pub async fn put_person(&self, person: &Person) -> Result<(), StoreError> {
        let mut item = person_key(&person.id);
        item.insert("person".into(), nested(person)?);
        let before = self.person(&person.id).await?;
        let mut all = Transaction::new(&self.table).put(
            "the person",
            item,
            "attribute_not_exists(pk) OR attribute_exists(person)",
            [],
        );
        let mine = || [(":me", s(person.id.as_str()))];
        for identity in &person.identities {
            let mut item = identity_key(identity);
            item.insert("owner_id".into(), s(person.id.as_str()));
            all = all.put("an identity", item, FREE, mine());
        }
        let former = before.iter().flat_map(|before| &before.identities);
        for identity in former.filter(|identity| !person.identities.contains(identity)) {
            all = all.delete("a former identity", identity_key(identity), FREE, mine());
        }
        all.commit(&self.client, &(person, before)).await.map_err(Cancelled::into_error)
    }

    /// A person.
    ///
    /// # Errors
    /// If the table does not answer or the row is not readable.
    pub async fn person(&self, id: &PersonId) -> Result<Option<Person>, StoreError> {
        let found = get(&self.client, &self.table, person_key(id)).await?;
        found.map(|item| read(&item, "person")).transpose()
    }

    /// Whose identity this is.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn person_of(&self, identity: &Identity) -> Result<Option<Person>, StoreError> {
        let Some(item) = get(&self.client, &self.table, identity_key(identity)).await? else {
            return Ok(None);
        };
        let Some(id) = text(&item, "owner_id").and_then(|id| PersonId::parse(id).ok()) else {
            return Err(crate::item::unreadable(&item, "`owner_id` is missing".into()));
        };
        // Both rows have to say so.
        let person = self.person(&id).await?;
        Ok(person.filter(|person| person.identities.contains(identity)))
    }

    /// Everybody.
    ///
    /// # Errors
    /// If the table does not answer or a row is not readable.
    pub async fn people(&self) -> Result<Vec<Person>, StoreError> {
        let mut pages = self
            .client
            .query()
            .table_name(&self.table)
            .consistent_read(true)
            .key_condition_expression("pk = :pk AND begins_with(sk, :person)")
            .expression_attribute_values(":pk", AttributeValue::S(REGISTRY.into()))
            .expression_attribute_values(":person", s("PERSON#"))
            .into_paginator()
            .items()
            .send();
        let mut people = Vec::new();
        while let Some(item) = pages.next().await {
            let item = item.map_err(|error| StoreError::table("the registry", &error))?;
            people.push(read(&item, "person")?);
        }
        Ok(people)
    }
}

fn person_key(id: &PersonId) -> Item {
    key(REGISTRY, &format!("PERSON#{id}"))
}

/// Hashed, since a team can be any issuer's URL and must not run into the user.
fn identity_key(identity: &Identity) -> Item {
    let digest = encoding::digest("approval/identity/v1", |to| {
        to.text(&identity.team);
        to.text(&identity.user);
    });
    key(REGISTRY, &format!("IDENTITY#{digest}"))
}
