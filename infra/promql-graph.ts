import { Aws } from 'aws-cdk-lib';
import { ConcreteWidget } from 'aws-cdk-lib/aws-cloudwatch';

/** What a graph shows. */
export interface PromQlGraphProps {
  readonly title: string;
  /** By the label that each has where its series have none. */
  readonly queries: Readonly<Record<string, string>>;
  /** Of the dashboard's 24 columns. */
  readonly width: number;
  readonly height: number;
}

/**
 * A graph of PromQL on a dashboard of CloudWatch, which CDK 2.276 has no widget for: a chart widget
 * (https://docs.aws.amazon.com/AmazonCloudWatch/latest/APIReference/CloudWatch-Dashboard-Body-Structure.html).
 */
export class PromQlGraph extends ConcreteWidget {
  readonly #props: PromQlGraphProps;

  constructor(props: PromQlGraphProps) {
    super(props.width, props.height);
    this.#props = props;
  }

  /** As the body of a dashboard has it. */
  override toJson(): object[] {
    const queries = Object.entries(this.#props.queries).map(([label, query], index) => ({
      id: `q${index}`,
      type: 'cloudwatch-metrics',
      language: 'PromQL',
      query,
      step: 60,
      label,
    }));
    return [
      {
        type: 'chart',
        width: this.width,
        height: this.height,
        x: this.x,
        y: this.y,
        properties: { title: this.#props.title, view: 'line', region: Aws.REGION, data: { queries } },
      },
    ];
  }
}
