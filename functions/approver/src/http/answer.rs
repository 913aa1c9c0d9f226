//! An answer, with the headers that every answer has.

use std::sync::LazyLock;

use aws_lambda_events::{apigw::ApiGatewayV2httpResponse, encodings::Body};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use maud::Markup;

use crate::pages;

/// An answer.
#[derive(Debug)]
pub(super) struct Answer {
    status: StatusCode,
    page: Option<Markup>,
    /// Whether the page holds the script that asks for a passkey.
    script: bool,
    location: Option<String>,
    cookies: Vec<String>,
}

impl Answer {
    pub(super) const fn page(status: StatusCode, page: Markup) -> Self {
        Self { status, page: Some(page), script: false, location: None, cookies: Vec::new() }
    }

    pub(super) const fn ok(page: Markup) -> Self {
        Self::page(StatusCode::OK, page)
    }

    /// On to another page, which the browser gets with GET.
    pub(super) const fn see_other(location: String) -> Self {
        let location = Some(location);
        Self { status: StatusCode::SEE_OTHER, page: None, script: false, location, cookies: Vec::new() }
    }

    /// The one answer to everything that is not there, or not for you to know of.
    pub(super) fn not_found() -> Self {
        Self::page(StatusCode::NOT_FOUND, pages::not_found())
    }

    pub(super) fn with_cookie(mut self, cookie: String) -> Self {
        self.cookies.push(cookie);
        self
    }

    /// Lets the one script of a page run.
    pub(super) const fn with_script(mut self) -> Self {
        self.script = true;
        self
    }

    pub(super) const fn status(&self) -> StatusCode {
        self.status
    }

    pub(super) fn into_response(self, head: bool) -> ApiGatewayV2httpResponse {
        let mut response = ApiGatewayV2httpResponse::default();
        response.status_code = i64::from(self.status.as_u16());
        response.headers = common(if self.script { &POLICY_WITH_SCRIPT } else { &POLICY });
        if let Some(location) = self.location.and_then(|location| HeaderValue::try_from(location).ok()) {
            response.headers.insert(header::LOCATION, location);
        }
        response.cookies = self.cookies;
        response.body = self.page.filter(|_| !head).map(|page| Body::Text(page.into_string()));
        response
    }
}

/// Nothing is loaded from anywhere, nothing runs but the script that asks for a passkey, nobody frames it,
/// nothing keeps or follows it
/// (<https://cheatsheetseries.owasp.org/cheatsheets/HTTP_Headers_Cheat_Sheet.html>).
const COMMON: [(HeaderName, &str); 8] = [
    (header::CONTENT_TYPE, "text/html; charset=utf-8"),
    (header::CACHE_CONTROL, "no-store"),
    (header::REFERRER_POLICY, "no-referrer"),
    (header::STRICT_TRANSPORT_SECURITY, "max-age=63072000; includeSubDomains"),
    (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
    (header::X_FRAME_OPTIONS, "DENY"),
    (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    (HeaderName::from_static("x-robots-tag"), "noindex, nofollow"),
];

/// The one stylesheet stands in the page, and this is its hash.
static POLICY: LazyLock<String> = LazyLock::new(|| {
    format!(
        "default-src 'none'; style-src {}; form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
        hash(pages::STYLE)
    )
});

/// The same, with the hash of the one script.
static POLICY_WITH_SCRIPT: LazyLock<String> =
    LazyLock::new(|| format!("{}; script-src {}", *POLICY, hash(pages::SCRIPT)));

fn hash(text: &str) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, text.as_bytes());
    format!("'sha256-{}'", STANDARD.encode(digest))
}

fn common(policy: &str) -> HeaderMap {
    let mut headers: HeaderMap =
        COMMON.into_iter().map(|(name, value)| (name, HeaderValue::from_static(value))).collect();
    // It is ASCII, so it always is a header's value.
    if let Ok(policy) = HeaderValue::from_str(policy) {
        headers.insert(header::CONTENT_SECURITY_POLICY, policy);
    }
    headers
}
