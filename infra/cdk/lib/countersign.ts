import { Token } from 'aws-cdk-lib';
import { CfnInclude } from 'aws-cdk-lib/cloudformation-include';
import { Asset } from 'aws-cdk-lib/aws-s3-assets';
import { CfnFunction, CfnLayerVersion } from 'aws-cdk-lib/aws-sam';
import { Construct } from 'constructs';
import { join } from 'node:path';
import { CountersignParameters, PARAMETERS } from './parameters';

export { CountersignParameters } from './parameters';

const FUNCTIONS = ['Ingress', 'Processor', 'Approver', 'Reconciler'];
const LAYER = 'PolicyLayer';

/** What a deployment of Countersign is made with. */
export interface CountersignProps extends CountersignParameters {
  /** The folder that `sam build` wrote: `template.yaml`, and the functions and the policy beside it. */
  readonly build: string;
}

/**
 * Countersign, once in a stack: the resources of `template.yaml` under their own names, and its outputs. The
 * template stays the only place that says what is deployed; this passes its parameters and uploads what was built.
 */
export class Countersign extends Construct {
  /** The template in this stack, for whatever a deployment wants to refer to: `template.getResource('HttpApi')`. */
  public readonly template: CfnInclude;

  public constructor(scope: Construct, id: string, props: CountersignProps) {
    super(scope, id);
    const templateFile = join(props.build, 'template.yaml');
    this.template = new CfnInclude(this, 'Template', { templateFile, parameters: parametersOf(props) });
    for (const name of FUNCTIONS) {
      const { s3BucketName, s3ObjectKey } = new Asset(this, `${name}Code`, { path: join(props.build, name) });
      const code = this.template.getResource(name) as CfnFunction;
      code.codeUri = { bucket: s3BucketName, key: s3ObjectKey };
    }
    const { s3BucketName, s3ObjectKey } = new Asset(this, `${LAYER}Content`, { path: join(props.build, LAYER) });
    const layer = this.template.getResource(LAYER) as CfnLayerVersion;
    layer.contentUri = { bucket: s3BucketName, key: s3ObjectKey };
  }
}

/**
 * The parameters of the template that the properties set. CloudFormation would check a parameter's value; since
 * these are filled in before it sees them, they are checked here, by the template's own constraints.
 */
function parametersOf(props: CountersignProps): Record<string, string> {
  const given: Record<string, string> = {};
  for (const [property, { name, pattern, values, least, most }] of Object.entries(PARAMETERS)) {
    const value = props[property as keyof CountersignParameters];
    if (value === undefined) continue;
    const text = String(value);
    given[name] = text;
    if (Token.isUnresolved(value)) continue;
    if (pattern !== undefined && !new RegExp(pattern, 'u').test(text)) {
      throw new Error(`${property} does not have the form ${pattern}`);
    }
    if (values !== undefined && !values.includes(text)) {
      throw new Error(`${property} is none of ${values.join(', ')}`);
    }
    const number = Number(text);
    if ((least !== undefined && number < least) || (most !== undefined && number > most)) {
      throw new Error(`${property} is not from ${least} to ${most}`);
    }
  }
  return given;
}
