// What the contract asks of many requests alike; see the conventions in common.proto.
import { invalid, type FieldViolation } from '../domain/errors.js';

const REQUEST_ID = /^[\x21-\x7e]{0,128}$/;
const PAGE = { default: 50, largest: 500 };

/** What is wrong with a `request_id`, which may be empty; undefined: nothing. */
export function requestIdViolation(requestId: string): FieldViolation | undefined {
  if (REQUEST_ID.test(requestId)) return undefined;
  return { field: 'request_id', rule: 'must be 1 to 128 printable ASCII characters without spaces' };
}

/** Items of a page; 0 asks for the default. @throws BerthError INVALID_ARGUMENT */
export function toPageSize(pageSize: number): number {
  if (pageSize < 0 || pageSize > PAGE.largest)
    throw invalid({ field: 'page_size', rule: `must be 0 (${PAGE.default}) to ${PAGE.largest}` });
  return pageSize === 0 ? PAGE.default : pageSize;
}
