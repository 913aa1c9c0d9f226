"""What ingress does, with Stripe's and AWS's own packages: the secret once, then for each event the signature,
four fields and a message."""

import http.client
import json
import os

import boto3
import stripe

SQS = boto3.client("sqs")
NAME = os.environ["WEBHOOK_SECRETS"].split("=")[1]
SECRET = boto3.client("secretsmanager").get_secret_value(SecretId=NAME)["SecretString"]


def handler(delivery):
    try:
        event = stripe.Webhook.construct_event(delivery["body"], delivery["headers"]["stripe-signature"], SECRET)
    except stripe.SignatureVerificationError:
        return {"statusCode": 400, "body": "signature refused"}
    about = event["data"]["object"]
    message = {
        "id": event["id"],
        "type": event["type"],
        "livemode": event["livemode"],
        "object": about["id"],
        "customer": about["customer"],
    }
    SQS.send_message(
        QueueUrl=os.environ["EVENT_QUEUE_URL"],
        MessageBody=json.dumps(message),
        MessageGroupId=message["customer"] or message["object"],
        MessageDeduplicationId=message["id"],
    )
    return {"statusCode": 200, "body": "queued"}


def main():
    """The runtime's loop; Lambda's own client does more."""
    api = http.client.HTTPConnection(os.environ["AWS_LAMBDA_RUNTIME_API"])
    base = "/2018-06-01/runtime/invocation/"
    while True:
        api.request("GET", base + "next")
        answer = api.getresponse()
        delivery = json.loads(answer.read())
        request = answer.headers["lambda-runtime-aws-request-id"]
        api.request("POST", f"{base}{request}/response", json.dumps(handler(delivery)))
        api.getresponse().read()


main()
