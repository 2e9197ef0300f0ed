// The floor of a cold start as a Web Function of AWS Lambda: a server that loads node:http and answers, and nothing else.
import http from 'node:http';

const [host, port] = process.env.AWS_LAMBDA_HTTP_ENDPOINT.split(':');
http.createServer((_, response) => response.end('{}')).listen(Number(port), host);
