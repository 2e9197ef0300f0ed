/** Why TLS did not come about. Trying again can't help. */
export interface HandshakeFailure {
  /** Who has to change something: the endpoint is not TLS, the client's certificate, or the server's. */
  readonly about: 'endpoint' | 'client certificate' | 'server certificate';
  /** For people, without what only OpenSSL's authors can read. */
  readonly message: string;
}

/** Codes of a TLS handshake that fails: of OpenSSL, and of Node when it checks the certificate. */
const tlsCode = /^(ERR_SSL_|ERR_TLS_|EPROTO$|SELF_SIGNED_|UNABLE_TO_|CERT_|DEPTH_ZERO_)/;
/** What OpenSSL makes of an answer that is no TLS record. */
const notTls = /^(wrong version number|packet length too long|http request)$/;
/** Alerts about the client's certificate (RFC 8446 section 6.2). */
const refusedCertificate = /alert .*(certificate|unknown ca)/;

/** An error that Node gave a code to. */
export interface CodedError extends Error {
  readonly code: string;
}

/** The first of the error and its causes that Node gave a code to. */
export function codedError(reason: unknown): CodedError | undefined {
  for (let error = reason; error instanceof Error; error = error.cause) {
    if (isCoded(error)) return error;
  }
  return undefined;
}

/** Why TLS did not come about, if that is what the call failed with. */
export function handshakeFailure(reason: unknown): HandshakeFailure | undefined {
  const error = codedError(reason);
  if (!error || !tlsCode.test(error.code)) return undefined;
  // "…:error:0A00010B:SSL routines:tls_validate_record_header:wrong version number:../deps/openssl/…:77:"
  const said = /:SSL routines:[^:]*:([^:]+):/.exec(error.message)?.[1];
  if (said === undefined) {
    // Node adds advice about itself after a semicolon.
    return { about: 'server certificate', message: error.message.replace(/;.*/s, '').trim() };
  }
  if (notTls.test(said)) {
    return { about: 'endpoint', message: 'the server does not speak TLS: try http://' };
  }
  if (/alert certificate required/.test(said)) {
    return { about: 'client certificate', message: 'the server asks for a client certificate' };
  }
  if (refusedCertificate.test(said)) {
    return { about: 'client certificate', message: `the server refuses the client certificate: ${said}` };
  }
  if (/alert handshake failure/.test(said)) {
    // What TLS 1.2 has for a certificate that is missing, among others (RFC 5246 section 7.4.6).
    return {
      about: 'client certificate',
      message: 'the server refuses the handshake, maybe for want of a client certificate',
    };
  }
  return { about: 'server certificate', message: said };
}

function isCoded(error: Error): error is CodedError {
  return 'code' in error && typeof error.code === 'string';
}
