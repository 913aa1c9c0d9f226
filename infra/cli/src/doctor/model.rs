//! The language model: one harmless question, which costs a few tokens.

use connectors::model::{Model, Question};
use runtime::{Clock, Env, Secrets, aws::Aws, failure};
use serde_json::{Value, json};

use super::{Findings, around::told};

const WHAT: &str = "model";

/// The only word that is an answer.
const WORD: &str = "ready";

/// What belongs to a model. Half of it is a mistake that the model's own reading of it tells.
const VARIABLES: [&str; 5] = ["MODEL", "MODEL_ID", "MODEL_URL", "MODEL_PRICE", "MODEL_KEY_SECRET"];

pub(super) async fn examine(env: &Env, clock: &Clock, found: &mut Findings) {
    if VARIABLES.iter().all(|name| env.optional(name).is_none()) {
        return;
    }
    let aws = match Aws::from_env(env) {
        Ok(aws) => aws,
        Err(error) => {
            return found.bad(WHAT, format!("{error}; export the AWS credentials of whoever may ask"));
        }
    };
    let secrets = Secrets::new(aws.secrets_manager());
    match Model::from_env(env, &aws, &secrets, clock.clone()).await {
        Ok(None) => {}
        Ok(Some(model)) => ask(&model, found).await,
        Err(error) => found.bad(WHAT, failure::chain(&error)),
    }
}

async fn ask(model: &Model, found: &mut Findings) {
    let question = Question {
        system: "You are asked whether you can be reached. Fill in the form.".to_owned(),
        input: "Are you there?".to_owned(),
        schema: json!({
            "type": "object",
            "properties": { "word": { "type": "string", "enum": [WORD] } },
            "required": ["word"],
            "additionalProperties": false,
        }),
        max_tokens: 200,
    };
    match model.ask(&question).await {
        Err(error) => found.bad(WHAT, told(&error)),
        Ok(reply) => match serde_json::from_str::<Value>(&reply.text) {
            Ok(answer) if answer == json!({ "word": WORD }) => {
                found.good(WHAT, format!("{} answers, and keeps to the form", model.id()));
            }
            _ => found.bad(
                WHAT,
                format!(
                    "{} answers, but not in the form that it is given; choose a model that keeps to a JSON schema",
                    model.id()
                ),
            ),
        },
    }
}
