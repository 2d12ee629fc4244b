// The baseline of every figure: bare node:http that collects a body and sends the same bytes back.
import { createServer } from 'node:http';

createServer((request, response) => {
  const chunks: Buffer[] = [];
  request.on('data', chunk => chunks.push(chunk));
  request.on('end', () => response.end(Buffer.concat(chunks)));
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
