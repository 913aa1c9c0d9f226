//! A newcomer's first minute: an approval waits, they sign in, approve it, and money moves once.

use serde_json::Value;

use crate::support::Local;

/// A person at a browser: keeps cookies, and follows a redirect only when told.
struct Browser<'l> {
    local: &'l Local,
    cookies: Vec<(String, String)>,
}

impl Browser<'_> {
    async fn send(&mut self, request: reqwest::RequestBuilder) -> reqwest::Response {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let answer = request.header("cookie", cookies.join("; ")).send().await.unwrap();
        for set in answer.headers().get_all("set-cookie") {
            let (name, rest) = set.to_str().unwrap().split_once('=').unwrap();
            self.cookies.retain(|(known, _)| known != name);
            self.cookies.push((name.to_owned(), rest.split(';').next().unwrap().to_owned()));
        }
        answer
    }

    async fn get(&mut self, url: &str) -> reqwest::Response {
        self.send(self.local.http().get(url)).await
    }

    /// Where a page sends the browser.
    async fn redirect(&mut self, url: &str) -> String {
        let answer = self.get(url).await;
        assert_eq!(answer.status().as_u16(), 303, "{}", answer.text().await.unwrap());
        answer.headers()["location"].to_str().unwrap().to_owned()
    }
}

/// The last value of a form's hidden field.
fn field(page: &str, name: &str) -> String {
    let after = page.rsplit_once(&format!("name=\"{name}\" value=\"")).unwrap().1;
    after.split('"').next().unwrap().to_owned()
}

fn refunds(board: &Value) -> Vec<Value> {
    let writes = board["writes"].as_array().unwrap().iter();
    writes.filter(|write| write["path"] == "/v1/refunds").cloned().collect()
}

/// Signs in, reads the page and approves, twice; the statuses of both posts.
async fn decide(local: &Local, user: &str, url: &str) -> [u16; 2] {
    let api = local.at("api");
    let mut browser = Browser { local, cookies: Vec::new() };
    let path = url.strip_prefix(api).unwrap();
    let provider = browser.redirect(&format!("{api}/sign-in?next={path}")).await;
    let back = local.http().get(format!("{provider}&prompt=none&login_hint={user}"));
    let back = back.send().await.unwrap().headers()["location"].to_str().unwrap().to_owned();
    browser.redirect(&back).await;
    let page = browser.get(url).await.text().await.unwrap();
    let form = page.split_once("name=\"digest\"").unwrap().1;
    let csrf = form.split_once("name=\"csrf\" value=\"").unwrap().1.split('"').next().unwrap();
    let form = [("decision", "approve"), ("digest", &field(&page, "digest")), ("csrf", csrf)];
    let form = form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
    // What comes faster than somebody can read does not count.
    tokio::time::sleep(std::time::Duration::from_secs(3)).await;
    let mut statuses = [0; 2];
    for status in &mut statuses {
        let post = local.http().post(url).header("origin", api).body(form.clone());
        let post = post.header("content-type", "application/x-www-form-urlencoded");
        *status = browser.send(post).await.status().as_u16();
    }
    statuses
}

#[tokio::test]
async fn an_approval_by_hand_makes_one_refund() {
    let local = Local::start(&[]);
    let board = local.until("an approval waits", |board| board["totals"]["pending"].as_u64() > Some(0)).await;
    assert!(refunds(&board).is_empty(), "nothing moves without a signature");
    let approval = board["approvals"][0].clone();
    let url = approval["url"].as_str().unwrap();

    // It was asked for in Stripe, which does not say by whom: two people sign.
    assert_eq!(decide(&local, sandbox::people::FINANCE_SECOND, url).await, [200, 409]);
    let board = local.until("one has signed", |_| true).await;
    assert!(refunds(&board).is_empty(), "one signature of two moves nothing");
    assert_eq!(decide(&local, sandbox::people::FINANCE_LEAD, url).await, [200, 409]);

    let id = approval["id"].as_str().unwrap();
    let board = local
        .until("it is executed", |board| {
            let approvals = board["approvals"].as_array().unwrap();
            approvals.iter().any(|one| one["id"] == id && one["stage"] == "executed")
        })
        .await;
    let refunds = refunds(&board);
    assert_eq!(refunds.len(), 1, "{refunds:?}");
    assert_eq!(refunds[0]["status"], 200);
}
