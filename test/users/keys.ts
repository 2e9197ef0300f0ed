/** Keys of users, as requests have them. */
export const named = (value: string) => ({ key: { case: 'username', value } }) as const;
/** @see named */
export const numbered = (value: number) => ({ key: { case: 'userId', value } }) as const;
/** @see named */
export const addressed = (value: string) => ({ key: { case: 'email', value } }) as const;
