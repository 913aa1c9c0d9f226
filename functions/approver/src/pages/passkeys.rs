//! Passkeys: one's own, and what the form of a vote needs to ask for one.

use domain::approval::{CredentialId, Passkey, Passkeys};
use maud::{Markup, html};

use super::{Me, harmless, scripted, text};

/// What the browser needs to make a passkey, in base64url where it is bytes.
pub(crate) struct NewPasskey<'a> {
    pub(crate) challenge: String,
    pub(crate) party: &'a str,
    pub(crate) user_handle: String,
    pub(crate) nonce: String,
    pub(crate) csrf: String,
}

/// What the browser needs to ask for one.
pub(crate) struct Prompt<'a> {
    pub(crate) challenge: String,
    pub(crate) party: &'a str,
    /// The ids of those that count.
    pub(crate) credentials: Vec<CredentialId>,
    pub(crate) nonce: String,
}

impl Prompt<'_> {
    /// The ids, separated by spaces.
    pub(super) fn ids(&self) -> String {
        ids(self.credentials.iter())
    }

    /// The fields that the script fills in.
    pub(super) fn fields(&self) -> Markup {
        html! {
            input type="hidden" name="nonce" value=(self.nonce);
            @for name in ["credential", "client_data", "authenticator_data", "signature", "user_handle"] {
                input type="hidden" name=(name) value="";
            }
        }
    }
}

fn ids<'a>(credentials: impl Iterator<Item = &'a CredentialId>) -> String {
    credentials.map(CredentialId::as_str).collect::<Vec<_>>().join(" ")
}

/// Somebody's own passkeys; `removal` gives the token of the form that removes one.
pub(crate) fn passkeys(
    me: &Me,
    passkeys: &Passkeys,
    new: &NewPasskey<'_>,
    removal: &dyn Fn(&CredentialId) -> String,
    told: Option<&str>,
) -> Markup {
    let body = html! {
        @if let Some(told) = told { section .warn role="alert" { (text::sentence(told)) } }
        section {
            h2 { "Your passkeys" }
            @if passkeys.all.is_empty() { p .soft { "You have none yet. Large amounts are approved with one." } }
            ul .rows {
                @for passkey in &passkeys.all { li { (one(passkey, removal)) } }
            }
        }
        section {
            h2 { "Add a passkey" }
            p {
                "Your device asks for a PIN, your finger or your face. Then read the passkey's fingerprint, the \
                 sixteen digits shown here, to an administrator of Countersign: it counts once they have \
                 confirmed it."
            }
            form method="post" action="/passkeys" data-passkey="create" data-challenge=(new.challenge)
                data-party=(new.party) data-user=(new.user_handle) data-name=(harmless(&me.name, 60))
                data-known=(ids(passkeys.all.iter().map(|one| &one.credential))) {
                @for name in ["client_data", "attestation"] { input type="hidden" name=(name) value=""; }
                input type="hidden" name="nonce" value=(new.nonce);
                input type="hidden" name="csrf" value=(new.csrf);
                label { "What you call it" input name="name" required maxlength="60" autocomplete="off"; }
                p role="alert" {}
                button .go { "Add a passkey" }
            }
            noscript { p { "This needs a browser that runs the script of this page." } }
        }
    };
    scripted("Passkeys", Some(me), &body)
}

fn one(passkey: &Passkey, removal: &dyn Fn(&CredentialId) -> String) -> Markup {
    html! {
        p {
            strong { (harmless(&passkey.name, 60)) } " "
            @match passkey.confirmed {
                Some(confirmed) => { span .tag { "Counts" } " since " (text::time(confirmed)) },
                None => { span .tag { "Not confirmed" } " Tell an administrator the fingerprint." },
            }
        }
        p .soft { "Fingerprint " code { (passkey.key.fingerprint()) } ", added on " (text::time(passkey.enrolled)) }
        form method="post" action="/passkeys/remove" {
            input type="hidden" name="credential" value=(passkey.credential.as_str());
            input type="hidden" name="csrf" value=(removal(&passkey.credential));
            button aria-label={ "Remove " (harmless(&passkey.name, 60)) } { "Remove" }
        }
    }
}
