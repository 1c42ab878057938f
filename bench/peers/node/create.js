// `POST /product/create`, the plain way.
import { DynamoDBClient, PutItemCommand } from '@aws-sdk/client-dynamodb';

const client = new DynamoDBClient({});

export async function handler(event) {
  const { id, title, description, price } = JSON.parse(event.body);
  await client.send(
    new PutItemCommand({
      TableName: process.env.DYNAMODB_TABLE,
      Item: { id: { S: id }, title: { S: title }, description: { S: description }, price: { N: price } },
    }),
  );
  return {
    statusCode: 201,
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify({ id, title, description, price }),
  };
}
