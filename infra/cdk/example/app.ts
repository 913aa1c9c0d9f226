// A deployment with the CDK: fill in what is yours, then `sam build` in the repository and `npm run deploy` here.

import { App, Stack } from 'aws-cdk-lib';
import { join } from 'node:path';
import { Countersign } from '../lib/countersign';

const app = new App();
const stack = new Stack(app, 'countersign');
new Countersign(stack, 'Countersign', {
  build: process.env.SAM_BUILD ?? join(__dirname, '../../../.aws-sam/build'),
  oidcClientId: '1234567890.1234567890',
  slackChannels: 'billing-alerts=C0123ABCD,billing-risk=C0456EFGH',
  publicUrl: 'https://approve.example.com',
  crm: 'hubspot',
  logRetentionDays: 365,
  alarmEmail: 'on-duty@example.com',
});
