// oidc-provider as an authorization server with the paths of Entra ID: client credentials with a private_key_jwt. What the package
// does not look at, the certificate's thumbprint, is checked here as Entra ID does. One line of JSON on stdout for each request for a token.
//   usage: node provider.mjs '{"host": …, "port": …, "tenant": …, "certificate": …, "key": …, "client": …, "client_certificate": …, "resource": …}'
import { X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import https from 'node:https';
import { Provider } from 'oidc-provider';

const settings = JSON.parse(process.argv[2]);
const issuer = `https://${settings.host}:${settings.port}`;
const tokenPath = `/${settings.tenant}/oauth2/v2.0/token`;
const scope = `${settings.resource}/.default`;
const certificate = new X509Certificate(readFileSync(settings.client_certificate));
const thumbprint = Buffer.from(certificate.fingerprint256.replaceAll(':', ''), 'hex').toString('base64url');

const provider = new Provider(issuer, {
  clients: [{
    client_id: settings.client, token_endpoint_auth_method: 'private_key_jwt', grant_types: ['client_credentials'],
    redirect_uris: [], response_types: [], jwks: { keys: [{ ...certificate.publicKey.export({ format: 'jwk' }), use: 'sig' }] },
  }],
  clientAuthMethods: ['private_key_jwt'],
  enabledJWA: { clientAuthSigningAlgValues: ['PS256'] },
  routes: { token: tokenPath },
  scopes: [scope],
  features: {
    clientCredentials: { enabled: true },
    devInteractions: { enabled: false },
    resourceIndicators: {
      enabled: true, defaultResource: () => settings.resource, useGrantedResource: () => true,
      getResourceServerInfo: () => ({ scope, accessTokenFormat: 'jwt', accessTokenTTL: 3600, jwt: { sign: { alg: 'RS256' } } }),
    },
  },
});

const whole = async (request) => {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
};

const headerOf = (assertion) => {
  try {
    return JSON.parse(Buffer.from(assertion.split('.')[0], 'base64url').toString());
  } catch {
    return {};
  }
};

provider.use(async (context, next) => {
  const discovery = '/.well-known/openid-configuration';
  if (context.path === `/${settings.tenant}/v2.0${discovery}`) context.path = discovery;
  if (context.path !== tokenPath) return next();
  const form = Object.fromEntries(new URLSearchParams(await whole(context.req)));
  context.req.body = form;
  if (headerOf(form.client_assertion ?? '')['x5t#S256'] === thumbprint) {
    await next();
  } else {
    context.status = 401;
    context.body = { error: 'invalid_client', error_description: 'no certificate of this client has that thumbprint' };
  }
  console.log(JSON.stringify({ form, status: context.status, error: context.body?.error_description,
    request_id: context.get('client-request-id') || context.query['client-request-id'] }));
});

https.createServer({ key: readFileSync(settings.key), cert: readFileSync(settings.certificate) }, provider.callback())
  .listen(settings.port, '127.0.0.1', () => console.log(JSON.stringify({ ready: true, jwks: `${issuer}/jwks` })));
