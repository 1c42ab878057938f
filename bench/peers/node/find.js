// `GET /product/find/{id}`, the plain way.
import { DynamoDBClient, GetItemCommand } from '@aws-sdk/client-dynamodb';

const client = new DynamoDBClient({});

export async function handler(event) {
  const { Item: item } = await client.send(
    new GetItemCommand({
      TableName: process.env.DYNAMODB_TABLE,
      Key: { id: { S: event.pathParameters.id } },
    }),
  );
  const headers = { 'Content-Type': 'application/json' };
  if (!item) {
    return { statusCode: 404, headers, body: JSON.stringify({ message: 'not found' }) };
  }
  const product = { id: item.id.S, title: item.title.S, description: item.description.S, price: item.price.N };
  return { statusCode: 200, headers, body: JSON.stringify(product) };
}
