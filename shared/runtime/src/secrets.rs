//! Secrets, by name, from Secrets Manager; and the shapes in which several are kept in one.

use aws_sdk_secretsmanager::Client;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use domain::Timestamp;
use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde::Deserialize;
use tokio::task::JoinSet;

use crate::failure::Cause;

/// Reads secrets.
#[derive(Debug, Clone)]
pub struct Secrets {
    client: Client,
}

/// A secret that cannot be used. Its name is told, its value never.
#[derive(Debug, thiserror::Error)]
pub enum SecretError {
    /// There is none of that name, or it was created and never filled: Secrets Manager says the same of both.
    #[error("there is no value in a secret `{name}`; store one, or correct the variable that names it")]
    Absent {
        /// The secret.
        name: String,
    },
    /// It exists without a text.
    #[error("the secret `{name}` is blank; store its value as a secret string")]
    Blank {
        /// The secret.
        name: String,
    },
    /// It could not be read.
    #[error("could not read the secret `{name}`; check the function's role and the network")]
    Unreadable {
        /// The secret.
        name: String,
        /// Why.
        #[source]
        source: Cause,
    },
    /// It was read and is not of the shape it has to be.
    #[error("the secret `{name}` must be {expected}; store it again in that shape")]
    Malformed {
        /// The secret.
        name: String,
        /// A noun phrase.
        expected: &'static str,
    },
}

impl Secrets {
    /// Reads through this client.
    pub fn new(client: Client) -> Self {
        Self { client }
    }

    /// The current value, without the white space around it.
    pub async fn get(&self, name: &str) -> Result<SecretString, SecretError> {
        // Boxed, as a call of the SDK is large and several secrets are read at once.
        let answer =
            Box::pin(self.client.get_secret_value().secret_id(name).send()).await.map_err(|error| {
                let name = name.to_owned();
                match error.as_service_error() {
                    Some(service) if service.is_resource_not_found_exception() => {
                        SecretError::Absent { name }
                    }
                    _ => SecretError::Unreadable { name, source: Cause::of(&error) },
                }
            })?;
        match answer.secret_string.as_deref().map(str::trim) {
            Some(value) if !value.is_empty() => Ok(SecretString::from(value)),
            _ => Err(SecretError::Blank { name: name.to_owned() }),
        }
    }

    /// Stores a new current value. No function may: this is for whoever rotates keys.
    ///
    /// # Errors
    /// [`SecretError::Unreadable`] if the service refuses.
    pub async fn put(&self, name: &str, value: &SecretString) -> Result<(), SecretError> {
        let put = self.client.put_secret_value().secret_id(name).secret_string(value.expose_secret());
        put.send()
            .await
            .map(drop)
            .map_err(|error| SecretError::Unreadable { name: name.to_owned(), source: Cause::of(&error) })
    }

    /// The current values in the order of the names, read at the same time: at start a function waits
    /// for one answer instead of for all of them one after another.
    pub async fn get_all<N: AsRef<str>>(
        &self,
        names: impl IntoIterator<Item = N>,
    ) -> Result<Vec<SecretString>, SecretError> {
        let mut reads = JoinSet::new();
        for (index, name) in names.into_iter().enumerate() {
            let (secrets, name) = (self.clone(), name.as_ref().to_owned());
            reads.spawn(async move { (index, secrets.get(&name).await) });
        }
        let mut values = Vec::with_capacity(reads.len());
        while let Some(read) = reads.join_next().await {
            let (index, value) = read.map_err(|error| SecretError::Unreadable {
                name: "(several)".to_owned(),
                source: Cause::of(&error),
            })?;
            values.push((index, value?));
        }
        values.sort_unstable_by_key(|(index, _)| *index);
        Ok(values.into_iter().map(|(_, value)| value).collect())
    }
}

/// Several values in one secret: separated by white space, or as a JSON array of strings. So that a
/// signing secret can be replaced while the old one is still in use.
///
/// # Errors
/// [`SecretError::Malformed`] if there is none among them or one is blank.
pub fn list(name: &str, secret: &SecretString) -> Result<Vec<SecretString>, SecretError> {
    let malformed = || SecretError::Malformed {
        name: name.to_owned(),
        expected: "one or more values separated by white space, or a JSON array of strings",
    };
    let text = secret.expose_secret().trim();
    let values: Vec<SecretString> = if text.starts_with('[') {
        // The error of the parser may quote the text.
        let values: Vec<String> = serde_json::from_str(text).map_err(|_| malformed())?;
        values.into_iter().map(|value| SecretString::from(value.trim())).collect()
    } else {
        text.split_whitespace().map(SecretString::from).collect()
    };
    if values.is_empty() || values.iter().any(|value| value.expose_secret().is_empty()) {
        return Err(malformed());
    }
    Ok(values)
}

/// The keys of a set with their ids as they count at `now`: the one that signs first, then those that
/// only verify. `{"keys":[{"id":"k1","key":"<base64>","from":…,"until":…}]}`, times in seconds and optional:
/// a key signs from `from` on, until a later one does, and verifies until `until`. A key is put in some time
/// before it signs, so that every running function knows it by then.
///
/// # Errors
/// [`SecretError::Malformed`] for another shape, no key that signs, an id that is blank or there twice, or
/// an empty key.
pub fn key_set(
    name: &str,
    secret: &SecretString,
    now: Timestamp,
) -> Result<Vec<(String, SecretSlice<u8>)>, SecretError> {
    read_key_set(secret.expose_secret(), now.seconds()).ok_or_else(|| SecretError::Malformed {
        name: name.to_owned(),
        expected: r#"JSON like {"keys":[{"id":"k1","key":"<base64>"}]}, each id once, with a key in use"#,
    })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct KeySet {
    keys: Vec<Key>,
    /// Public halves of keys that are gone, for auditors. No function takes them for anything.
    #[serde(default, rename = "retired")]
    _retired: Vec<serde::de::IgnoredAny>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Key {
    id: String,
    key: String,
    #[serde(default)]
    from: Option<i64>,
    #[serde(default)]
    until: Option<i64>,
}

fn read_key_set(json: &str, now: i64) -> Option<Vec<(String, SecretSlice<u8>)>> {
    let set: KeySet = serde_json::from_str(json).ok()?;
    let mut keys: Vec<(String, SecretSlice<u8>)> = Vec::with_capacity(set.keys.len());
    let (mut ids, mut signs) = (Vec::new(), None);
    for Key { id, key, from, until } in set.keys {
        let bytes = STANDARD.decode(key.trim()).ok()?;
        if id.is_empty() || bytes.is_empty() || ids.contains(&id) {
            return None;
        }
        ids.push(id.clone());
        if until.is_some_and(|until| until <= now) {
            continue;
        }
        // Of several without a time, the first is the newest.
        let from = from.unwrap_or(i64::MIN);
        if from <= now && signs.is_none_or(|(best, _)| from > best) {
            signs = Some((from, keys.len()));
        }
        keys.push((id, SecretSlice::from(bytes)));
    }
    let (_, first) = signs?;
    let signs = keys.remove(first);
    keys.insert(0, signs);
    Some(keys)
}

#[cfg(test)]
mod tests {
    use axum::{Json, Router, body::Bytes, http::StatusCode, response::IntoResponse as _, routing::post};
    use serde_json::{Value, json};

    use super::*;
    use crate::{Env, aws::Aws};

    /// Answers with the name in the value; `blank` and `absent` are what they say.
    async fn secrets() -> Secrets {
        let answer = |body: Bytes| async move {
            let asked: Value = serde_json::from_slice(&body).unwrap();
            let name = asked["SecretId"].as_str().unwrap().to_owned();
            match name.as_str() {
                "absent" => {
                    let error = json!({ "__type": "ResourceNotFoundException", "message": "no such secret" });
                    (StatusCode::BAD_REQUEST, Json(error)).into_response()
                }
                "denied" => {
                    let error = json!({ "__type": "AccessDeniedException", "message": "not allowed" });
                    (StatusCode::BAD_REQUEST, Json(error)).into_response()
                }
                "garbled" => r#"{"SecretString": "canary" "#.into_response(),
                "blank" => Json(json!({ "Name": name, "SecretString": " \n" })).into_response(),
                _ => Json(json!({ "Name": name, "SecretString": format!(" value of {name}\n") }))
                    .into_response(),
            }
        };
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = Router::new().route("/", post(answer));
        tokio::spawn(async { axum::serve(listener, router).await });
        let env = Env::from([
            ("AWS_REGION", "eu-central-1"),
            ("AWS_ACCESS_KEY_ID", "local"),
            ("AWS_SECRET_ACCESS_KEY", "local"),
            ("AWS_ENDPOINT_URL_SECRETS_MANAGER", &url),
        ]);
        Secrets::new(Aws::from_env(&env).unwrap().secrets_manager())
    }

    #[tokio::test]
    async fn secrets_are_read_together_and_come_back_in_the_order_of_their_names() {
        let values = secrets().await.get_all(["b", "a", "c"]).await.unwrap();
        let values: Vec<_> = values.iter().map(ExposeSecret::expose_secret).collect();
        assert_eq!(values, ["value of b", "value of a", "value of c"]);
    }

    #[tokio::test]
    async fn an_unusable_secret_is_named_with_what_to_do() {
        let secrets = secrets().await;
        let error = |name| {
            let secrets = secrets.clone();
            async move { secrets.get(name).await.unwrap_err() }
        };
        assert!(matches!(error("absent").await, SecretError::Absent { name } if name == "absent"));
        assert!(matches!(error("blank").await, SecretError::Blank { name } if name == "blank"));
        assert!(matches!(error("denied").await, SecretError::Unreadable { name, .. } if name == "denied"));
        assert!(matches!(error("garbled").await, SecretError::Unreadable { .. }));
        let shown = format!("{:?}", error("garbled").await);
        assert!(!shown.contains("canary"), "{shown}");
        assert!(secrets.get_all(["a", "blank"]).await.is_err());
    }

    #[test]
    fn several_values_are_separated_by_white_space_or_stand_in_an_array() {
        let read = |text: &str| {
            list("s", &SecretString::from(text))
                .map(|all| all.iter().map(|one| one.expose_secret().to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(read("whsec_a\n whsec_b\n").unwrap(), ["whsec_a", "whsec_b"]);
        assert_eq!(read(r#"["whsec_a", "whsec_b "]"#).unwrap(), ["whsec_a", "whsec_b"]);
        for bad in ["", " ", "[]", r#"["a",""]"#, r#"["a""#, "[1]"] {
            assert!(read(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_key_set_keeps_its_order() {
        let secret = SecretString::from(r#"{"keys":[{"id":"k2","key":"AQI="},{"id":"k1","key":"Aw=="}]}"#);
        let keys = key_set("LINK_KEYS", &secret, Timestamp::from_seconds(0)).unwrap();
        let keys: Vec<_> = keys.iter().map(|(id, key)| (id.as_str(), key.expose_secret())).collect();
        assert_eq!(keys, [("k2", &[1, 2][..]), ("k1", &[3][..])]);
    }

    #[test]
    fn a_key_signs_from_its_time_on_and_verifies_until_its_end() {
        let secret = SecretString::from(
            r#"{"keys":[{"id":"k2","key":"AQI=","from":100},{"id":"k1","key":"Aw==","until":200}],"retired":[{"id":"k0"}]}"#,
        );
        let at = |now| {
            let keys = key_set("LINK_KEYS", &secret, Timestamp::from_seconds(now)).unwrap();
            keys.into_iter().map(|(id, _)| id).collect::<Vec<_>>()
        };
        assert_eq!(at(99), ["k1", "k2"], "known before it signs");
        assert_eq!(at(100), ["k2", "k1"]);
        assert_eq!(at(199), ["k2", "k1"]);
        assert_eq!(at(200), ["k2"], "its end");
        let early = SecretString::from(r#"{"keys":[{"id":"k2","key":"AQI=","from":100}]}"#);
        assert!(key_set("LINK_KEYS", &early, Timestamp::from_seconds(99)).is_err(), "nothing signs");
    }

    #[test]
    fn a_malformed_key_set_is_refused_without_repeating_it() {
        for bad in [
            "canary",
            r#"{"keys":[]}"#,
            r#"{"keys":[{"id":"","key":"AQI="}]}"#,
            r#"{"keys":[{"id":"k1","key":""}]}"#,
            r#"{"keys":[{"id":"k1","key":"canary!"}]}"#,
            r#"{"keys":[{"id":"k1","key":"AQI="},{"id":"k1","key":"AQI="}]}"#,
            r#"{"keys":[{"id":"k1","key":"AQI=","canary":1}]}"#,
        ] {
            let error = format!(
                "{:?}",
                key_set("LINK_KEYS", &SecretString::from(bad), Timestamp::from_seconds(0)).unwrap_err()
            );
            assert!(error.contains("LINK_KEYS") && !error.contains("canary"), "{error}");
        }
    }
}
