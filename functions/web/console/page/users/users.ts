import type { DescMethod } from '@bufbuild/protobuf';
import type { Catalog } from '../catalog.ts';
import { h, put } from '../dom.ts';
import type { Session } from '../session.ts';
import { LookUp } from './look-up.ts';
import { SignUp } from './sign-up.ts';

/** The methods that the users' page needs. */
export interface UsersMethods {
  readonly createUser: DescMethod;
  readonly getUsers: DescMethod;
}

/** The methods of a service named Users, if the server has them. */
export function usersMethods(catalog: Catalog): UsersMethods | undefined {
  const createUser = catalog.method('/Users/CreateUser');
  const getUsers = catalog.method('/Users/GetUsers');
  return createUser && getUsers && { createUser, getUsers };
}

/** The view of the users: sign up, look up many. */
export class UsersView {
  readonly element = h('div', { class: 'users' });

  constructor(methods: UsersMethods, catalog: Catalog, session: Session) {
    const lookUp = new LookUp(methods.getUsers, catalog, session);
    const signUp = new SignUp(methods.createUser, catalog, session, (name) => lookUp.add(name));
    put(this.element, signUp.element, lookUp.element);
  }
}
