// A store that costs nothing: counts and answers 200. GET /count says how many.
import { createServer } from 'node:http';

let count = 0;
createServer((request, response) => {
  if (request.method === 'GET') {
    response.end(String(count));
    return;
  }
  request.resume();
  request.on('end', () => {
    count++;
    response.end();
  });
}).listen(Number(process.argv[2]), '127.0.0.1', () => console.log('ready'));
