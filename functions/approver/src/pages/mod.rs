//! The pages: one stylesheet, nothing from elsewhere, and no script but where a passkey is asked for.
//! Everything that somebody else wrote is escaped, and shown as theirs.

mod asking;
mod facts;
mod inbox;
mod outcome;
mod passkeys;
mod review;
mod small;
mod text;

use maud::{DOCTYPE, Markup, PreEscaped, html};

pub(crate) use asking::{Asked, RequestForm, Told, request_form};
pub(crate) use inbox::{Standing, inbox};
pub(crate) use outcome::{failed as failure, not_taken, result, vote_refused};
pub(crate) use passkeys::{NewPasskey, Prompt, passkeys};
pub(crate) use review::{Reread, Review, review};
pub(crate) use small::{
    failed, not_found, not_registered, not_signed_in, not_yours, provider_unavailable, refused, sign_in,
    signed_out, stale_form,
};
pub(crate) use text::harmless;

/// The stylesheet; the policy of every answer names its hash.
pub(crate) const STYLE: &str = include_str!("style.css");

/// The one script, in the pages that ask for a passkey; the policy of their answers names its hash.
pub(crate) const SCRIPT: &str = include_str!("passkey.js");

/// Who looks at the page.
#[derive(Debug, Clone)]
pub(crate) struct Me {
    pub(crate) name: String,
    /// The anti-forgery token of the sign-out form.
    pub(crate) sign_out: String,
}

/// A page that asks for a passkey; its answer has to let the script run.
fn scripted(title: &str, me: Option<&Me>, body: &Markup) -> Markup {
    page(title, me, &html! { (body) script { (PreEscaped(SCRIPT)) } })
}

/// The frame of every page.
fn page(title: &str, me: Option<&Me>, body: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (title) " – Countersign" }
                style { (PreEscaped(STYLE)) }
            }
            body {
                a .skip href="#content" { "Skip to the content" }
                header {
                    a .home href="/" { "Countersign" }
                    @if let Some(me) = me {
                        nav aria-label="Main" {
                            a href="/" { "Inbox" }
                            a href="/requests/new" { "Ask for something" }
                            a href="/passkeys" { "Passkeys" }
                        }
                        span .who { (harmless(&me.name, 80)) }
                        form method="post" action="/sign-out" {
                            input type="hidden" name="csrf" value=(me.sign_out);
                            button { "Sign out" }
                        }
                    }
                }
                main #content tabindex="-1" { h1 { (title) } (body) }
            }
        }
    }
}
