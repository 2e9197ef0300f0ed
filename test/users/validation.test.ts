// Proves which requests are valid: the rules of the contract, each at its bounds; that every violation is told
// at once, by its proto name; that no text, however hostile, is answered with anything but OK or INVALID_FIELDS;
// and that no answer repeats a password.
import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { create, type MessageInitShape } from '@bufbuild/protobuf';
import { Code, ConnectError } from '@connectrpc/connect';
import fc from 'fast-check';
import { BadRequestSchema, ErrorInfoSchema } from '../../functions/rpc/index.ts';
import {
  checkCreateUser,
  checkGetUsers,
  checkListUsers,
  checkUpdateUser,
  isUsername,
} from '../../functions/users/validation.ts';
import {
  CreateUserRequestSchema,
  GetUsersRequestSchema,
  ListUsersRequestSchema,
  UpdateUserRequestSchema,
} from '../../proto/gen/users_types_pb.js';
import { named } from './keys.ts';
import { limitsWith } from './serving.ts';

type SignUp = MessageInitShape<typeof CreateUserRequestSchema>;

function errorOf(check: () => void): ConnectError | undefined {
  try {
    check();
    return undefined;
  } catch (error) {
    assert.ok(error instanceof ConnectError, `not a ConnectError: ${error}`);
    return error;
  }
}

function violationsOf(error: ConnectError | undefined): string[] {
  const details = error?.details.find((it) => 'desc' in it && it.desc === BadRequestSchema);
  if (details === undefined || !('desc' in details)) return [];
  return create(BadRequestSchema, details.value).fieldViolations.map((it) => `${it.field} ${it.reason}`);
}

function check(signUp: SignUp): string[] {
  return violationsOf(errorOf(() => checkCreateUser(create(CreateUserRequestSchema, signUp))));
}

const id = '9f0e3b1c-6f0b-4c55-8f4a-2d7c3c1a5b9e';

describe('CreateUserRequest', () => {
  for (const username of ['a', '7', 'alexa', 'A.b_c-9', 'a'.repeat(64), 'con', '0..', 'x-']) {
    it(`takes the username ${username}`, () => assert.deepEqual(check({ username }), []));
  }
  const bad = [
    '.a',
    '-a',
    '_a',
    'a b',
    'a\n',
    'ä',
    'a\0',
    'a/b',
    'a@b',
    'a'.repeat(65),
    '\u212a',
    '\ud800',
    ' a',
  ];
  for (const username of bad) {
    it(`refuses the username ${JSON.stringify(username)}`, () =>
      assert.deepEqual(check({ username }), ['username INVALID_USERNAME']));
  }
  it('requires a username', () => assert.deepEqual(check({}), ['username REQUIRED']));

  it('measures passwords in bytes of UTF-8', () => {
    const withPassword = (password: string) => check({ username: 'a', password });
    assert.deepEqual(withPassword('1234567'), ['password INVALID_PASSWORD_LENGTH']);
    assert.deepEqual(withPassword('12345678'), []);
    assert.deepEqual(withPassword('1'.repeat(128)), []);
    assert.deepEqual(withPassword('1'.repeat(129)), ['password INVALID_PASSWORD_LENGTH']);
    assert.deepEqual(withPassword('🔑🔑'), []); // 2 characters, 8 bytes
    assert.deepEqual(withPassword('ä'.repeat(65)), ['password INVALID_PASSWORD_LENGTH']);
    assert.deepEqual(withPassword('1234567\ud800'), ['password INVALID_PASSWORD_TEXT']);
  });

  it('takes addresses that mail can be sent to', () => {
    const withEmail = (email: string) => check({ username: 'a', email });
    for (const email of ['a@b', 'a+b.c@x-y.example.com', '"a"@b.c', 'jörg@köln.example', '用户@例子.广告']) {
      assert.deepEqual(withEmail(email), [], email);
    }
    const refused = [
      'a',
      '@b',
      'a@',
      'a@b@c',
      'a b@c',
      'a@b c',
      'a@.b',
      'a@b.',
      'a@b..c',
      'a\n@b',
      'a@b\u200b',
    ];
    for (const email of refused) assert.deepEqual(withEmail(email), ['email INVALID_EMAIL'], email);
    assert.deepEqual(withEmail(`${'a'.repeat(242)}@example.com`), []);
    assert.deepEqual(withEmail(`${'a'.repeat(243)}@example.com`), ['email INVALID_EMAIL_LENGTH']);
  });

  it('takes UUIDs of every version and case as request_id, but not the one of zeros', () => {
    const withId = (requestId: string) => check({ username: 'a', requestId });
    assert.deepEqual(withId(id), []);
    assert.deepEqual(withId(id.toUpperCase()), []);
    const refused = ['1', id.slice(1), `${id}0`, `{${id}}`, id.replaceAll('-', ''), id.replace('9', 'g')];
    for (const one of [...refused, '00000000-0000-0000-0000-000000000000']) {
      assert.deepEqual(withId(one), ['request_id INVALID_REQUEST_ID'], one);
    }
  });

  it('tells every violation at once, to people and to programs', () => {
    const request = create(CreateUserRequestSchema, {
      username: '.',
      password: 'secret!',
      email: 'nowhere',
      requestId: '1',
    });
    const error = errorOf(() => checkCreateUser(request));
    assert.equal(error?.code, Code.InvalidArgument);
    assert.deepEqual(violationsOf(error), [
      'username INVALID_USERNAME',
      'password INVALID_PASSWORD_LENGTH',
      'email INVALID_EMAIL',
      'request_id INVALID_REQUEST_ID',
    ]);
    for (const field of ['username', 'password', 'email', 'request_id']) {
      assert.match(error.rawMessage, new RegExp(`${field} must be`));
    }
    const info = error.details[0];
    assert.deepEqual(info, { desc: ErrorInfoSchema, value: { reason: 'INVALID_FIELDS', domain: 'users' } });
  });

  const anyText = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 300 }),
    fc.string({ maxLength: 300 }),
    // Unpaired surrogates, which JSON can bring.
    fc.array(fc.integer({ min: 0, max: 0xffff }), { maxLength: 200 }).map((it) => String.fromCharCode(...it)),
  );

  it('answers any text with OK or INVALID_FIELDS, and never repeats the password', () => {
    const request = fc.record({
      username: anyText,
      password: anyText.map((text) =>
        text === '' ? '' : `@~secret~@${text.repeat(1 + (text.length % 30))}`,
      ),
      email: anyText,
      requestId: fc.oneof(anyText, fc.uuid()),
    });
    const property = fc.property(request, (signUp) => {
      const error = errorOf(() => checkCreateUser(create(CreateUserRequestSchema, signUp)));
      if (error === undefined) return;
      assert.equal(error.code, Code.InvalidArgument);
      assert.ok(violationsOf(error).length > 0);
      const told = JSON.stringify([
        error.rawMessage,
        error.details.map((it) => ('value' in it ? it.value : '')),
      ]);
      assert.ok(!told.includes('@~secret~@'));
    });
    fc.assert(property, { numRuns: 2000 });
  });

  it('takes every username of the pattern, and no other', () => {
    const alphabet = 'ABCXYZabcxyz0189';
    const first = fc.constantFrom(...alphabet);
    const rest = fc.string({ unit: fc.constantFrom(...`${alphabet}._-`), maxLength: 63 });
    fc.assert(fc.property(first, rest, (a, b) => isUsername(a + b)));
    const stranger = fc.string({ unit: 'binary', minLength: 1 }).filter((it) => /[^A-Za-z0-9._-]/.test(it));
    fc.assert(fc.property(fc.string(), stranger, fc.string(), (a, b, c) => !isUsername(a + b + c)));
  });

  it('takes the time of the text at most, not more', () => {
    // A pattern that backtracks would need hours for these.
    for (const email of [
      `a@${'b.'.repeat(126)}`,
      `${'a'.repeat(253)}@`,
      '@'.repeat(254),
      `a@${'.'.repeat(250)}`,
    ]) {
      assert.deepEqual(check({ username: 'a', email }), ['email INVALID_EMAIL']);
    }
  });
});

describe('GetUsersRequest', () => {
  const limits = limitsWith({ maxUsersPerRequest: 3 });
  const request = (count: number) =>
    create(GetUsersRequestSchema, { user: Array.from({ length: count }, () => ({ username: '?' })) });

  it('takes nobody, and as many as the limit', () => {
    checkGetUsers(request(0), limits);
    checkGetUsers(request(3), limits);
  });

  it('refuses more, and says how many are possible', () => {
    const error = errorOf(() => checkGetUsers(request(4), limits));
    assert.equal(error?.code, Code.InvalidArgument);
    assert.deepEqual(violationsOf(error), ['user TOO_MANY_USERS']);
    assert.match(error.rawMessage, /at most 3 users, not 4/);
  });
});

describe('UpdateUserRequest', () => {
  const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'alexa', 'a@b', 'open sesame'));
  const path = fc.oneof(fc.string(), fc.constantFrom('username', 'email', 'password', '*', 'password.x'));

  it('is a change by the rules of a sign-up of what its mask names, or INVALID_FIELDS, whatever the text', () => {
    fc.assert(
      fc.property(text, text, text, fc.array(path, { maxLength: 4 }), (username, email, password, paths) => {
        const request = { key: named('tom'), username, email, password, updateMask: { paths } };
        let wish = {};
        const error = errorOf(() => {
          wish = checkUpdateUser(create(UpdateUserRequestSchema, request));
        });
        const asked = paths.length > 0 ? paths : Object.keys(wish);
        if (error === undefined) {
          assert.deepEqual(Object.keys(wish).toSorted(), [...new Set(asked)].toSorted());
          assert.deepEqual(check({ username: 'tom', ...wish }), []);
        } else {
          assert.equal(error.code, Code.InvalidArgument);
          assert.ok(violationsOf(error).length > 0);
          if (password.length > 8) assert.ok(!error.message.includes(password));
        }
      }),
    );
  });

  it('changes without a mask what is not empty, and takes an empty mask for none', () => {
    for (const updateMask of [undefined, { paths: [] }]) {
      const request = create(UpdateUserRequestSchema, { key: named('tom'), email: 'a@b', updateMask });
      assert.deepEqual(checkUpdateUser(request), { email: 'a@b' });
    }
  });
});

describe('ListUsersRequest', () => {
  it('begins at a place that only names have, or is INVALID_FIELDS, whatever the text', () => {
    const text = fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('', 'Alexa', 'YTphYg', 'a'));
    fc.assert(
      fc.property(text, text, (usernamePrefix, pageToken) => {
        const request = create(ListUsersRequestSchema, { usernamePrefix, pageToken });
        const error = errorOf(() => {
          const { prefix, after } = checkListUsers(request);
          assert.equal(prefix, usernamePrefix.toLowerCase());
          assert.match(`${prefix}${after}`, /^[a-z0-9._~-]*$/);
        });
        if (error !== undefined) assert.equal(error.code, Code.InvalidArgument);
      }),
    );
  });
});
