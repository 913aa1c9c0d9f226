"""What stands outside of the account: Stripe, Slack, the sign-in, and people with a browser."""

import html
import http.client
import json
import re
import subprocess
import time
import urllib.error
import urllib.parse
import urllib.request

# No proxy of this machine's, and no redirect is followed unseen.
class Stay(urllib.request.HTTPRedirectHandler):
    """Leaves a redirect to the caller."""

    def redirect_request(self, *_):
        """Follow none."""
        return None


OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}), Stay)


def fetch(url, token=None, form=None, method=None):
    """Return status, headers and body of a request."""
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    data = urllib.parse.urlencode(form).encode() if form is not None else None
    try:
        with OPENER.open(urllib.request.Request(url, data, headers, method=method), timeout=60) as answer:
            return answer.status, answer.headers, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers, error.read().decode()


class Outside:
    """The stand-ins in their own process."""

    def __init__(self, program, public_url):
        self.process = subprocess.Popen([program, public_url], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        self.told = json.loads(self.process.stdout.readline())

    def stripe(self, method, path, **form):
        """Ask Stripe as its user; nested names are written with brackets."""
        status, _, body = fetch(self.told["stripe"] + path, self.told["stripe_secret_key"], form or None, method)
        assert status == 200, f"{method} {path}: {status} {body}"
        return json.loads(body)

    def messages(self, channel):
        """Return what stands in a Slack conversation."""
        url = f"{self.told['slack']}/conversations.history?channel={channel}&limit=100"
        _, _, body = fetch(url, self.told["secrets"]["slack-token"])
        return json.loads(body)["messages"]

    def subscriber(self, card, name):
        """Return a new customer with a subscription of 49.00 on a test card, and its first invoice."""
        customer = self.stripe("POST", "/v1/customers", name=name, email=f"{name.lower().replace(' ', '-')}@example.com")
        method = self.stripe("POST", f"/v1/payment_methods/{card}/attach", customer=customer["id"])
        default = {"invoice_settings[default_payment_method]": method["id"]}
        self.stripe("POST", f"/v1/customers/{customer['id']}", **default)
        product = self.stripe("POST", "/v1/products", name="Team")
        recurring = {"recurring[interval]": "month"}
        price = self.stripe(
            "POST", "/v1/prices", product=product["id"], currency="usd", unit_amount="4900", **recurring
        )
        item = {"items[0][price]": price["id"]}
        subscription = self.stripe("POST", "/v1/subscriptions", customer=customer["id"], **item)
        return customer, self.stripe("GET", f"/v1/invoices/{subscription['latest_invoice']}")

    def charge_of(self, customer):
        """Return the only charge of a customer."""
        (charge,) = self.stripe("GET", f"/v1/charges?customer={customer['id']}")["data"]
        return charge["id"]

    def stop(self):
        """End them."""
        self.process.stdin.close()
        self.process.wait(timeout=30)


class Browser:
    """A person's browser, which reaches the public address by the API of the account."""

    def __init__(self, api, public_url):
        self.host, self.port = urllib.parse.urlsplit(api).hostname, urllib.parse.urlsplit(api).port
        self.public_url = public_url
        self.cookies = {}

    def send(self, method, path, form=None):
        """Send a request; returns status, the redirect's target and the page."""
        headers = {"Host": f"{self.host}:{self.port}"}
        if self.cookies:
            headers["Cookie"] = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        body = None
        if form is not None:
            # So browsers send the forms of pages that ask for no referrer.
            headers |= {
                "Content-Type": "application/x-www-form-urlencoded", "Origin": "null", "Sec-Fetch-Site": "same-origin"
            }
            body = urllib.parse.urlencode(form)
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        connection.request(method, path, body, headers)
        answer = connection.getresponse()
        page = answer.read().decode()
        connection.close()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.split(";")[0].partition("=")
            self.cookies[name] = value
        return answer.status, answer.headers.get("Location"), page

    def sign_in(self, person):
        """Sign in with the provider as somebody."""
        status, location, page = self.send("GET", "/sign-in?next=/")
        assert status == 303, page
        status, headers, said = fetch(f"{location}&prompt=none&login_hint={person}")
        assert status == 303, said
        back = headers["Location"]
        assert back.startswith(self.public_url), back
        status, location, page = self.send("GET", back.removeprefix(self.public_url))
        assert (status, location) == (303, "/"), page
        return self

    def ask_refund(self, charge, amount, why):
        """Ask for a refund; returns the path of the proposal."""
        _, _, page = self.send("GET", f"/requests/new?object={charge}")
        form = hidden(page, "/requests") | {"object": charge, "amount": amount, "why": why}
        form["reason"] = "requested_by_customer"
        status, location, page = self.send("POST", "/requests", form)
        assert status == 303, f"{status}: {words(page)}"
        return location

    def decide(self, proposal, decision):
        """Read a proposal's page as long as a person does, and decide."""
        status, _, page = self.send("GET", proposal)
        assert status == 200, page
        time.sleep(2.5)
        status, _, page = self.send("POST", proposal, hidden(page, proposal) | {"decision": decision})
        assert status == 200, f"{status}: {words(page)}"
        return words(page)


def hidden(page, action):
    """Return the hidden fields of the form that posts to a path."""
    (form,) = re.findall(rf'<form method="post" action="{re.escape(action)}"[^>]*>(.*?)</form>', page, re.DOTALL)
    fields = re.findall(r'<input type="hidden" name="([^"]+)" value="([^"]*)"', form)
    return {name: html.unescape(value) for name, value in fields}


def words(page):
    """Return a page without its markup."""
    text = re.sub(r"<style.*?</style>|<[^>]+>", " ", page, flags=re.DOTALL)
    return re.sub(r"\s+", " ", html.unescape(text)).strip()
