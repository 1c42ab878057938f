'use strict';

// DynamoDB's limit for an item, and so for a product.
const LARGEST_KB = 400;
const LIMITS = [
  // A unit writes 1 KB.
  { parameter: 'maxWriteUnits', property: 'MaxWriteRequestUnits', minimum: LARGEST_KB },
  // A unit reads 4 KB, strongly consistently.
  { parameter: 'maxReadUnits', property: 'MaxReadRequestUnits', minimum: LARGEST_KB / 4 },
];

// Rejects a maximum throughput below what the largest product needs. DynamoDB would accept it, and then throttle every
// request for such a product.
class Throughput {
  constructor(serverless) {
    const finish = () => {
      const { Resources } = serverless.service.provider.compiledCloudFormationTemplate;
      const { OnDemandThroughput } = Resources.ProductCatalogDynamoDBTable.Properties;
      for (const { parameter, property, minimum } of LIMITS) {
        const value = OnDemandThroughput[property];
        // osls passes `--param` as text.
        const units = /^\d+$/.test(value) ? Number(value) : Number.NaN;
        if (!(units >= minimum))
          throw new serverless.classes.Error(
            `${parameter} must be an integer of at least ${minimum}, the units for a product of ${LARGEST_KB} KB, but is '${value}'`,
            'INVALID_THROUGHPUT',
          );
        OnDemandThroughput[property] = units;
      }
    };
    this.hooks = { 'after:aws:package:finalize:mergeCustomProviderResources': finish };
  }
}

module.exports = Throughput;
