/**
 * What CloudFormation sends to a custom resource, as far as this function uses it.
 *
 * @see https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-requests.html
 */
export interface ResourceEvent {
  readonly RequestType: 'Create' | 'Update' | 'Delete';
  /** Where the answer goes, by PUT. */
  readonly ResponseURL: string;
  readonly StackId: string;
  readonly RequestId: string;
  readonly LogicalResourceId: string;
  /** What Create answered, or, where it failed, what CloudFormation made up. */
  readonly PhysicalResourceId?: string;
  readonly ResourceProperties: Readonly<Record<string, unknown>>;
  readonly OldResourceProperties?: Readonly<Record<string, unknown>>;
}

/** What the resource is after a request: its id (another than before replaces it) and the attributes for Fn::GetAtt. */
export interface ResourceState {
  readonly physicalResourceId: string;
  readonly data?: Readonly<Record<string, string>>;
}

/**
 * Does the work of one request and tells CloudFormation how it ended. It answers whatever happens: a stack waits an
 * hour for an answer that does not come.
 *
 * @throws only when CloudFormation can't be reached: Lambda then tries the event again
 */
export async function answer(
  event: ResourceEvent,
  work: (event: ResourceEvent) => Promise<ResourceState>,
): Promise<void> {
  const { StackId, RequestId, LogicalResourceId, PhysicalResourceId } = event;
  const identity = { StackId, RequestId, LogicalResourceId };
  let body: object;
  try {
    const { physicalResourceId, data } = await work(event);
    body = { ...identity, Status: 'SUCCESS', PhysicalResourceId: physicalResourceId, Data: data };
  } catch (error) {
    console.error(error);
    // Without an id of its own a failed Create is followed by a Delete of this one, which finds nothing to delete.
    const failed = PhysicalResourceId ?? neverCreated;
    const reason = error instanceof Error ? `${error.name}: ${error.message}` : String(error);
    body = { ...identity, Status: 'FAILED', PhysicalResourceId: failed, Reason: reason.slice(0, 1000) };
  }
  const response = await fetch(event.ResponseURL, {
    method: 'PUT',
    headers: { 'content-type': '' }, // the URL is signed for an upload without a type
    body: JSON.stringify(body),
  });
  if (!response.ok) throw new Error(`CloudFormation did not take the answer: HTTP ${response.status}`);
}

/** The physical id of a resource whose Create failed. */
export const neverCreated = 'never-created';
