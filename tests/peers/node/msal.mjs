// A client of another maker: asks for a token as Microsoft's own library does, with the same key and certificate. Names lead to 127.0.0.1.
//   usage: node msal.mjs '{"authority": …, "client": …, "client_certificate": …, "client_key": …, "scope": …}'
import { X509Certificate } from 'node:crypto';
import dns from 'node:dns';
import { readFileSync } from 'node:fs';
import { ConfidentialClientApplication } from '@azure/msal-node';

dns.lookup = (name, options, callback) => {
  const [how, done] = typeof options === 'function' ? [{}, options] : [options, callback];
  if (how.all) done(null, [{ address: '127.0.0.1', family: 4 }]);
  else done(null, '127.0.0.1', 4);
};
const settings = JSON.parse(process.argv[2]);
const pem = readFileSync(settings.client_certificate, 'utf8');
const application = new ConfidentialClientApplication({
  auth: {
    clientId: settings.client, authority: settings.authority, knownAuthorities: [new URL(settings.authority).host],
    clientCertificate: {
      thumbprintSha256: new X509Certificate(pem).fingerprint256.replaceAll(':', ''),
      privateKey: readFileSync(settings.client_key, 'utf8'),
    },
  },
});
const answer = await application.acquireTokenByClientCredential({ scopes: [settings.scope] });
console.log(JSON.stringify({ type: answer.tokenType, token: answer.accessToken }));
