import type { Template } from 'aws-cdk-lib/assertions';
import type { AlarmState, Point } from '../../rehearsal/alarm.ts';
import { Alarms } from '../../rehearsal/alarms.ts';
import { Deployed } from '../../rehearsal/deployed.ts';
import { Journal } from '../../rehearsal/journal.ts';
import { Metrics } from '../../rehearsal/metrics.ts';
import type { AlarmProperties } from '../../rehearsal/template.ts';
import { resourcesOf } from './synthesis.ts';

/**
 * What was measured in each minute, by the name of the metric; `NAME@PART` are those of its series alone whose
 * dimensions have that text. A minute that is undefined has no data.
 */
export type Measured = Readonly<Record<string, readonly Point[]>>;

/**
 * Plays what was measured through the arithmetic of an alarm of the template, which is named without its digest, and
 * returns its state after each minute.
 *
 * @param lateMinutes after how many minutes, at least one, the figures of a minute are there
 */
export function replay(template: Template, alarm: string, measured: Measured, lateMinutes = 1): AlarmState[] {
  const [, found] =
    resourcesOf(template, 'AWS::CloudWatch::Alarm').find(
      ([id]) => id.replace(/^Alarms|.{8}$/g, '') === alarm,
    ) ?? [];
  if (!found) throw new Error(`there is no alarm ${alarm}`);
  // References are texts here, which tell series apart as well as what they stand for.
  const text = (key: string, value: unknown) => (key === 'Value' ? JSON.stringify(value) : value);
  const properties: AlarmProperties = JSON.parse(JSON.stringify(found.Properties, text));
  const metrics = new Metrics();
  const alarms = new Alarms(metrics, new Journal({ isQuiet: true }));
  const type = 'AWS::CloudWatch::Alarm';
  alarms.configure(new Deployed('', { Alarm: { type, id: alarm, properties } }));

  const put = (minute: number) => {
    for (const [name, values] of Object.entries(measured)) {
      const [metricName, part = ''] = name.split('@');
      const value = values[minute];
      if (value === undefined) continue;
      for (const { Namespace = '', MetricName = '', Dimensions = [] } of metricsOf(properties)) {
        const dimensions = Object.fromEntries(Dimensions.map(({ Name, Value }) => [Name, Value]));
        if (MetricName === metricName && JSON.stringify(dimensions).includes(part))
          metrics.put(Namespace, MetricName, dimensions, minute, value);
      }
    }
  };
  const minutes = Math.max(...Object.values(measured).map((it) => it.length));
  return Array.from({ length: minutes }, (_, minute) => {
    put(minute - lateMinutes + 1);
    alarms.evaluate(minute);
    return alarms.all[0]?.state ?? 'INSUFFICIENT_DATA';
  });
}

function metricsOf(alarm: AlarmProperties) {
  return alarm.Metrics ? alarm.Metrics.flatMap(({ MetricStat }) => MetricStat?.Metric ?? []) : [alarm];
}
