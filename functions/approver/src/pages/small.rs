//! Pages that say one thing.

use maud::{Markup, html};

use super::{Me, page};

/// Asks to sign in. It is the same whatever is behind it, so a preview of a link shows nothing.
pub(crate) fn sign_in(next: &str) -> Markup {
    let body = html! {
        section {
            p { "Sign in to see what waits for you." }
            p { a .button.go href={ "/sign-in?next=" (next) } { "Sign in" } }
        }
    };
    page("Sign in", None, &body)
}

/// After signing out.
pub(crate) fn signed_out() -> Markup {
    say("You are signed out", "You can close this page.", Some(("/", "Sign in again")))
}

/// The sign-in did not work.
pub(crate) fn not_signed_in() -> Markup {
    say(
        "You are not signed in",
        "The sign-in could not be verified, or was started in another browser.",
        Some(("/sign-in", "Try again")),
    )
}

/// The identity provider did not answer.
pub(crate) fn provider_unavailable() -> Markup {
    say(
        "Nobody can sign in just now",
        "The identity provider does not answer.",
        Some(("/sign-in", "Try again")),
    )
}

/// Known to the provider, and not to us.
pub(crate) fn not_registered() -> Markup {
    say(
        "This account has no access",
        "Only full members of the registry of approvers can sign in. An administrator of Countersign can add you.",
        None,
    )
}

/// The one page for everything that is not there, is over, or is not for you to know of.
pub(crate) fn not_found() -> Markup {
    say(
        "There is nothing here",
        "The link may be over; what waits for you is in your inbox.",
        Some(("/", "Inbox")),
    )
}

/// Somebody else's link.
pub(crate) fn not_yours(me: &Me) -> Markup {
    let body = html! {
        section {
            p { "This link was sent to somebody else. If you are to decide it as well, it is in your inbox." }
            p { a href="/" { "Inbox" } }
        }
    };
    page("This link is not yours", Some(me), &body)
}

/// A form that no page of this session made, or that is too old.
pub(crate) fn stale_form(back: &str) -> Markup {
    say(
        "The page was too old",
        "Nothing was done. Open it again and decide there.",
        Some((back, "Open it again")),
    )
}

/// A request that nothing looked at.
pub(crate) fn refused(why: &str) -> Markup {
    say("That was not accepted", why, Some(("/", "Inbox")))
}

/// Our own fault.
pub(crate) fn failed() -> Markup {
    say(
        "Something went wrong",
        "If you were deciding something, open it again to see whether it counted.",
        Some(("/", "Inbox")),
    )
}

fn say(title: &str, what: &str, on: Option<(&str, &str)>) -> Markup {
    let body = html! {
        section {
            p { (what) }
            @if let Some((href, words)) = on { p { a href=(href) { (words) } } }
        }
    };
    page(title, None, &body)
}
