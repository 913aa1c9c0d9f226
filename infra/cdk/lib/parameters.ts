// Written by .ci/cdk_parameters.py from the parameters of template.yaml.

/** The parameters of the template. */
export interface CountersignParameters {
  /**
   * Issuer of the sign-in (OpenID Connect), without a slash at the end. By default https://slack.com.
   */
  readonly oidcIssuer?: string;
  /**
   * Client id of the sign-in application (in Slack, "Basic Information" of the app).
   */
  readonly oidcClientId: string;
  /**
   * Own domain of the approval pages, e.g. https://approve.example.com. Empty for the URL of the API.
   */
  readonly publicUrl?: string;
  /**
   * Certificate in ACM, in this region, for the host of PublicUrl: the stack gives the API that domain. Empty if
   * something of yours (a CDN, a proxy) serves PublicUrl.
   */
  readonly certificateArn?: string;
  /**
   * Zone in Route 53 in which to point the host of PublicUrl at the API. Empty to do that yourself.
   */
  readonly hostedZoneId?: string;
  /**
   * Further webhook endpoints as name=secret,... Create their secrets under STACK/webhook/; only those can be read.
   * The endpoint `default` always exists.
   */
  readonly moreWebhookSecrets?: string;
  /**
   * Partner event source of a Stripe event destination on EventBridge, e.g. aws.partner/stripe.com/ed_123. The stack
   * accepts it and takes its events in beside the webhooks. Empty for webhooks only.
   */
  readonly stripeEventSource?: string;
  /**
   * The Slack conversations of the channels that the policy names, by id, e.g.
   * billing-alerts=C0123ABCD,billing-risk=C0456EFGH. The app must be a member of each.
   */
  readonly slackChannels: string;
  /**
   * Reads of Stripe per second of each of at most ten instances. Stripe allows 100 per second in live mode and 25 in
   * a sandbox; set 2 there. By default 8.
   */
  readonly stripeRequestsPerSecond?: number;
  /**
   * Where tasks, notes and payment status of accounts land. The output `Secrets` tells what to fill. By default none.
   */
  readonly crm?: 'none' | 'hubspot' | 'salesforce';
  /**
   * ISO code of amounts that the CRM keeps without one, e.g. usd. Without it they are not read.
   */
  readonly crmCurrency?: string;
  /**
   * Own names of fields in the CRM, as role=name,..., e.g. segment=tier,annual_value=arr.
   */
  readonly crmFields?: string;
  /**
   * Salesforce only: the My Domain URL, e.g. https://company.my.salesforce.com.
   */
  readonly salesforceUrl?: string;
  /**
   * Salesforce only: consumer key of the connected app with the client credentials flow.
   */
  readonly salesforceClientId?: string;
  /**
   * Where tickets and draft replies land. By default none.
   */
  readonly helpDesk?: 'none' | 'zendesk' | 'intercom';
  /**
   * Tags by which the help desk marks that a customer wants money back, separated by commas. By default refund.
   */
  readonly helpDeskRefundTags?: string;
  /**
   * Tags by which it marks that a customer wants to leave. By default cancellation.
   */
  readonly helpDeskCancellationTags?: string;
  /**
   * Zendesk only: its URL, e.g. https://company.zendesk.com.
   */
  readonly zendeskUrl?: string;
  /**
   * Zendesk only: e-mail address of the agent to whom the API token belongs.
   */
  readonly zendeskUser?: string;
  /**
   * Intercom only: id of the ticket type of the tickets that are made.
   */
  readonly intercomTicketType?: string;
  /**
   * Intercom only: the API of the region that holds your data. By default https://api.intercom.io.
   */
  readonly intercomUrl?: 'https://api.intercom.io' | 'https://api.eu.intercom.io' | 'https://api.au.intercom.io';
  /**
   * Intercom only: the field of contacts with the Stripe customer id, e.g. custom_attributes.stripe_id. By default
   * external_id.
   */
  readonly intercomCustomerField?: string;
  /**
   * Where your own application tells of orders, usage, contract and access. Empty for none.
   */
  readonly applicationUrl?: string;
  /**
   * Where it pauses and restores access once people have signed that. Empty for never.
   */
  readonly accessUrl?: string;
  /**
   * Address that approved messages come from; SES must have verified it or its domain. Empty for none.
   */
  readonly mailFrom?: string;
  /**
   * What SES has verified for MailFrom, its domain or the address, e.g. example.com.
   */
  readonly mailIdentity?: string;
  /**
   * Where answers to approved messages go. Empty for MailFrom.
   */
  readonly mailReplyTo?: string;
  /**
   * Whom messages that are signed in Stripe's test mode may go to, addresses and @hosts with commas. Empty for
   * nobody.
   */
  readonly mailTestRecipients?: string;
  /**
   * SES configuration set that publishes what became of a message. Empty for none.
   */
  readonly mailConfigurationSet?: string;
  /**
   * Where the language model is that may advise on wording and urgency, if [advice] in the policy's settings is on.
   * `openai` is any server that speaks OpenAI's chat completions. By default none.
   */
  readonly model?: 'none' | 'bedrock' | 'anthropic' | 'openai';
  /**
   * The vendor's name of the model; in Bedrock a model or an inference profile, by id or ARN.
   */
  readonly modelId?: string;
  /**
   * US dollars for a million tokens that it reads and writes, e.g. 0.80,4. The budget is kept by it.
   */
  readonly modelPrice?: string;
  /**
   * Bedrock only: what may be invoked, by ARN with commas: the model, or the inference profile and the models that it
   * stands for in each of its regions. By default arn:aws:bedrock:::foundation-model/none.
   */
  readonly modelArns?: string;
  /**
   * OpenAI and alike: the address before /chat/completions. Others: a private endpoint, or empty.
   */
  readonly modelUrl?: string;
  /**
   * Who hears the alarms. Empty if you subscribe to the topic in another way.
   */
  readonly alarmEmail?: string;
  /**
   * Days that logs are kept. The trail of decisions is in the tables and not affected. By default 90.
   */
  readonly logRetentionDays?: 7 | 14 | 30 | 60 | 90 | 180 | 365 | 731 | 1827 | 3653;
  /**
   * Set to false in a new account whose limit is too low to reserve from (Lambda refuses then). By default true.
   */
  readonly reserveConcurrency?: boolean;
  /**
   * Your own KMS key, in this region, for tables, queues, secrets and logs. Its policy has to let CloudWatch Logs use
   * it (README, "Your own key"). Empty for AWS's keys.
   */
  readonly keyArn?: string;
}

/** A parameter's name in the template, and what it asks of a value. */
export interface Constraint {
  readonly name: string;
  readonly pattern?: string;
  readonly values?: readonly string[];
  readonly least?: number;
  readonly most?: number;
}

/** The constraints of each. */
export const PARAMETERS: Record<keyof CountersignParameters, Constraint> = {
  oidcIssuer: { name: 'OidcIssuer', pattern: '^https://[^?#]*[^/?#]$' },
  oidcClientId: { name: 'OidcClientId', pattern: '^\\S+$' },
  publicUrl: { name: 'PublicUrl', pattern: '^(https://[^/?#]+)?$' },
  certificateArn: { name: 'CertificateArn', pattern: '^(arn:aws[a-z-]*:acm:[a-z0-9-]+:\\d{12}:certificate/[0-9a-f-]+)?$' },
  hostedZoneId: { name: 'HostedZoneId', pattern: '^(Z[A-Z0-9]+)?$' },
  moreWebhookSecrets: { name: 'MoreWebhookSecrets', pattern: '^([a-z0-9-]+=[^,=]+(,[a-z0-9-]+=[^,=]+)*)?$' },
  stripeEventSource: { name: 'StripeEventSource', pattern: '^(aws\\.partner/stripe\\.com/[A-Za-z0-9_-]+)?$' },
  slackChannels: { name: 'SlackChannels', pattern: '^[a-z0-9-]+=[CGD][A-Z0-9]+(,[a-z0-9-]+=[CGD][A-Z0-9]+)*$' },
  stripeRequestsPerSecond: { name: 'StripeRequestsPerSecond', least: 1, most: 10 },
  crm: { name: 'Crm', values: ['none', 'hubspot', 'salesforce'] },
  crmCurrency: { name: 'CrmCurrency', pattern: '^([a-z]{3})?$' },
  crmFields: { name: 'CrmFields', pattern: '^([a-z_]+=\\w+(,[a-z_]+=\\w+)*)?$' },
  salesforceUrl: { name: 'SalesforceUrl', pattern: '^(https://[^/?#]+)?$' },
  salesforceClientId: { name: 'SalesforceClientId', pattern: '^\\S*$' },
  helpDesk: { name: 'HelpDesk', values: ['none', 'zendesk', 'intercom'] },
  helpDeskRefundTags: { name: 'HelpDeskRefundTags', pattern: '^[^\\s,]+(,[^\\s,]+)*$' },
  helpDeskCancellationTags: { name: 'HelpDeskCancellationTags', pattern: '^[^\\s,]+(,[^\\s,]+)*$' },
  zendeskUrl: { name: 'ZendeskUrl', pattern: '^(https://[^/?#]+)?$' },
  zendeskUser: { name: 'ZendeskUser', pattern: '^\\S*$' },
  intercomTicketType: { name: 'IntercomTicketType', pattern: '^[A-Za-z0-9]*$' },
  intercomUrl: { name: 'IntercomUrl', values: ['https://api.intercom.io', 'https://api.eu.intercom.io', 'https://api.au.intercom.io'] },
  intercomCustomerField: { name: 'IntercomCustomerField', pattern: '^[A-Za-z0-9_.]+$' },
  applicationUrl: { name: 'ApplicationUrl', pattern: '^(https://[^?#]*[^/?#])?$' },
  accessUrl: { name: 'AccessUrl', pattern: '^(https://[^?#]*[^/?#])?$' },
  mailFrom: { name: 'MailFrom', pattern: '^([^@\\s]+@[^@\\s]+)?$' },
  mailIdentity: { name: 'MailIdentity', pattern: '^[^\\s/*?]*$' },
  mailReplyTo: { name: 'MailReplyTo', pattern: '^([^@\\s]+@[^@\\s]+)?$' },
  mailTestRecipients: { name: 'MailTestRecipients', pattern: '^([^@\\s,]*@[^@\\s,]+(,[^@\\s,]*@[^@\\s,]+)*)?$' },
  mailConfigurationSet: { name: 'MailConfigurationSet', pattern: '^[A-Za-z0-9_-]*$' },
  model: { name: 'Model', values: ['none', 'bedrock', 'anthropic', 'openai'] },
  modelId: { name: 'ModelId', pattern: '^\\S*$' },
  modelPrice: { name: 'ModelPrice', pattern: '^([0-9]{1,4}(\\.[0-9]{1,6})?,[0-9]{1,4}(\\.[0-9]{1,6})?)?$' },
  modelArns: { name: 'ModelArns', pattern: '^arn:[a-z-]+:bedrock:[a-z0-9-]*:[0-9]*:[a-z-]+/[A-Za-z0-9.:_-]+(,arn:[a-z-]+:bedrock:[a-z0-9-]*:[0-9]*:[a-z-]+/[A-Za-z0-9.:_-]+)*$' },
  modelUrl: { name: 'ModelUrl', pattern: '^(https://[^?#]*[^/?#])?$' },
  alarmEmail: { name: 'AlarmEmail', pattern: '^([^@\\s]+@[^@\\s]+)?$' },
  logRetentionDays: { name: 'LogRetentionDays', values: ['7', '14', '30', '60', '90', '180', '365', '731', '1827', '3653'] },
  reserveConcurrency: { name: 'ReserveConcurrency', values: ['true', 'false'] },
  keyArn: { name: 'KeyArn', pattern: '^(arn:aws[a-z-]*:kms:[a-z0-9-]+:\\d{12}:key/[A-Za-z0-9-]+)?$' },
};
