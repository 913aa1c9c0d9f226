//! A request, read strictly: what is there twice or cannot be read is refused, never guessed at.

use std::collections::BTreeMap;

use aws_lambda_events::apigw::ApiGatewayV2httpRequest;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, Method, StatusCode, header};

/// Longer bodies are refused.
const LONGEST_BODY: usize = 64 * 1024;

/// A request.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// As it was sent, still percent-encoded.
    pub(super) path: String,
    pub(super) query: BTreeMap<String, String>,
    headers: HeaderMap,
    cookies: Vec<String>,
    body: Vec<u8>,
}

/// Why a request is refused before anything looks at what it asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub(super) enum Refused {
    #[error("The request is too long.")]
    TooLong,
    #[error("The request names something twice.")]
    Twice,
    #[error("The request cannot be read.")]
    Unreadable,
    #[error("The form has to come from the page itself.")]
    NotAForm,
    #[error("The request comes from another site.")]
    OtherSite,
}

impl Refused {
    pub(super) const fn status(self) -> StatusCode {
        match self {
            Self::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
            Self::Twice | Self::Unreadable => StatusCode::BAD_REQUEST,
            Self::NotAForm => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Self::OtherSite => StatusCode::FORBIDDEN,
        }
    }
}

impl Request {
    /// Reads an event of API Gateway (payload 2.0). Its cookies are apart from the other headers, and
    /// a body can come in base64 even if it is text
    /// (<https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-develop-integrations-lambda.html>).
    pub(super) fn read(event: ApiGatewayV2httpRequest) -> Result<Self, Refused> {
        let body = match event.body {
            None => Vec::new(),
            Some(text) if event.is_base64_encoded => {
                STANDARD.decode(text).map_err(|_| Refused::Unreadable)?
            }
            Some(text) => text.into_bytes(),
        };
        if body.len() > LONGEST_BODY {
            return Err(Refused::TooLong);
        }
        // Not `parameters`: those are joined where they are there twice.
        let query = pairs(event.raw_query_string.unwrap_or_default().as_bytes())?;
        Ok(Self {
            method: event.request_context.http.method,
            path: event.raw_path.unwrap_or_default(),
            query,
            headers: event.headers,
            cookies: event.cookies.unwrap_or_default(),
            body,
        })
    }

    /// The fields of a form that this very site sent: exactly `fields`, each once.
    pub(super) fn form<const N: usize>(
        &self,
        origin: &str,
        fields: [&str; N],
    ) -> Result<[String; N], Refused> {
        let (values, more) = self.form_with(origin, fields)?;
        if more.is_empty() { Ok(values) } else { Err(Refused::Unreadable) }
    }

    /// The fields of a form that this very site sent: `fields`, and whatever else there is.
    pub(super) fn form_with<const N: usize>(
        &self,
        origin: &str,
        fields: [&str; N],
    ) -> Result<([String; N], BTreeMap<String, String>), Refused> {
        let kind = self.header(header::CONTENT_TYPE.as_str()).unwrap_or_default();
        let kind = kind.split(';').next().unwrap_or_default().trim();
        if !kind.eq_ignore_ascii_case("application/x-www-form-urlencoded") {
            return Err(Refused::NotAForm);
        }
        // A browser says where a form comes from; who says nothing is refused, too. Under our
        // `Referrer-Policy: no-referrer` it gives `null` as the origin of our own forms
        // (<https://fetch.spec.whatwg.org/#append-a-request-origin-header>), and then only the header
        // that no page can set tells them from those of others.
        let site = self.header("sec-fetch-site");
        let own = match self.header("origin") {
            None | Some("null") => site == Some("same-origin"),
            Some(from) => from == origin && site.is_none_or(|site| site == "same-origin"),
        };
        if !own || self.headers.get_all("origin").iter().count() > 1 {
            return Err(Refused::OtherSite);
        }
        let mut form = pairs(&self.body)?;
        let mut values: [String; N] = std::array::from_fn(|_| String::new());
        for (value, name) in values.iter_mut().zip(fields) {
            *value = form.remove(name).ok_or(Refused::Unreadable)?;
        }
        Ok((values, form))
    }

    /// A cookie; `None` if it is absent, or there twice, since then somebody planted one.
    pub(super) fn cookie(&self, name: &str) -> Option<&str> {
        let header = self.headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
        let all = self.cookies.iter().map(String::as_str).chain(header);
        let mut found = all
            .flat_map(|line| line.split(';'))
            .filter_map(|pair| pair.trim().split_once('='))
            .filter(|(given, _)| *given == name)
            .map(|(_, value)| value);
        let value = found.next()?;
        found.next().is_none().then_some(value)
    }

    fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }
}

/// Names and values of a query or a form; a name that is there twice is refused.
fn pairs(text: &[u8]) -> Result<BTreeMap<String, String>, Refused> {
    let mut all = BTreeMap::new();
    for (name, value) in form_urlencoded::parse(text).into_owned() {
        if all.insert(name, value).is_some() {
            return Err(Refused::Twice);
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    const OWN: &str = "https://approve.example.test";

    fn request(change: impl FnOnce(&mut Value)) -> Result<Request, Refused> {
        let mut event = json!({
            "version": "2.0",
            "rawPath": "/a/ap_1",
            "rawQueryString": "",
            "headers": { "content-type": "application/x-www-form-urlencoded", "origin": OWN },
            "requestContext": { "http": { "method": "POST", "path": "/a/ap_1" }, "stage": "$default" },
            "body": "a=1&b=x%20y",
            "isBase64Encoded": false,
        });
        change(&mut event);
        Request::read(serde_json::from_value(event).unwrap())
    }

    fn form(change: impl FnOnce(&mut Value)) -> Result<[String; 2], Refused> {
        request(change)?.form(OWN, ["a", "b"])
    }

    #[test]
    fn a_form_is_read_plain_and_in_base64() {
        let both = Ok(["1".to_owned(), "x y".to_owned()]);
        assert_eq!(form(|_| {}), both);
        let encoded = |event: &mut Value| {
            event["body"] = STANDARD.encode("a=1&b=x%20y").into();
            event["isBase64Encoded"] = true.into();
        };
        assert_eq!(form(encoded), both);
    }

    #[test]
    fn a_form_from_elsewhere_is_refused() {
        for origin in ["https://evil.example.test", "null", "http://approve.example.test", ""] {
            assert_eq!(
                form(|event| event["headers"]["origin"] = origin.into()),
                Err(Refused::OtherSite),
                "{origin}"
            );
        }
        let silent = |site: Option<&'static str>| {
            move |event: &mut Value| {
                event["headers"] = json!({ "content-type": "application/x-www-form-urlencoded" });
                if let Some(site) = site {
                    event["headers"]["sec-fetch-site"] = site.into();
                }
            }
        };
        assert_eq!(form(silent(None)), Err(Refused::OtherSite));
        assert_eq!(form(silent(Some("cross-site"))), Err(Refused::OtherSite));
        assert_eq!(form(silent(Some("same-site"))), Err(Refused::OtherSite));
        assert!(form(silent(Some("same-origin"))).is_ok());
        let hidden = |site: &'static str| {
            move |event: &mut Value| {
                event["headers"]["origin"] = "null".into();
                event["headers"]["sec-fetch-site"] = site.into();
            }
        };
        assert!(form(hidden("same-origin")).is_ok(), "our own form, as a browser sends it");
        assert_eq!(form(hidden("cross-site")), Err(Refused::OtherSite));
        let lying = |event: &mut Value| {
            event["headers"]["origin"] = "https://evil.example.test".into();
            event["headers"]["sec-fetch-site"] = "same-origin".into();
        };
        assert_eq!(form(lying), Err(Refused::OtherSite));
    }

    #[test]
    fn only_a_form_is_taken_and_only_with_its_own_fields() {
        for kind in ["text/plain", "application/json", "multipart/form-data", ""] {
            assert_eq!(form(|event| event["headers"]["content-type"] = kind.into()), Err(Refused::NotAForm));
        }
        for (body, refused) in [
            ("a=1", Refused::Unreadable),
            ("a=1&b=2&c=3", Refused::Unreadable),
            ("a=1&b=2&a=3", Refused::Twice),
            ("", Refused::Unreadable),
        ] {
            assert_eq!(form(|event| event["body"] = body.into()), Err(refused), "{body}");
        }
        assert_eq!(form(|event| event["body"] = "x".repeat(LONGEST_BODY + 1).into()), Err(Refused::TooLong));
    }

    #[test]
    fn a_parameter_or_a_cookie_that_is_there_twice_does_not_count() {
        assert_eq!(request(|event| event["rawQueryString"] = "t=1&t=2".into()).unwrap_err(), Refused::Twice);
        let with = |cookies: Value| request(|event| event["cookies"] = cookies).unwrap();
        assert_eq!(with(json!(["s=1", "t=2"])).cookie("t"), Some("2"));
        assert_eq!(with(json!(["t=1", "t=2"])).cookie("t"), None);
        assert_eq!(with(json!(["t=1; t=2"])).cookie("t"), None);
        assert_eq!(with(json!([])).cookie("t"), None);
    }
}
