// Two accounts without keys. One holds the documents, the receipts, the ledger and the queues; the other what the
// Functions host keeps for itself: its keys, the timer's lock, the deployed package.
param location string
param tags object
param token string
param documentsSku string
param systemTopicName string

@description('As in the setting ALLOWED_ORIGINS: origins with commas between them.')
param allowedOrigins string

var names = loadJsonContent('names.json')
var packageContainerName = 'app-package'
var deadLetterContainerName = 'dead-letters'
var softDeleteDays = 14

// The sweep finds open work by blob index tags, which accounts with a hierarchical namespace lack.
// https://learn.microsoft.com/en-us/azure/storage/blobs/storage-manage-find-blobs
resource documents 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'stdocs${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: documentsSku
  }
  properties: {
    isHnsEnabled: false
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
    networkAcls: {
      bypass: 'AzureServices' // Event Grid delivers dead letters as a trusted service
      defaultAction: 'Allow'
    }
  }
}

// Versions are kept in the whole account: there is no switch for a container. The lifecycle below ends them
// everywhere but in the ledger.
resource documentsBlobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: documents
  name: 'default'
  properties: {
    isVersioningEnabled: true
    deleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
    containerDeleteRetentionPolicy: {
      enabled: true
      days: softDeleteDays
    }
    cors: {
      corsRules: empty(allowedOrigins) ? [] : [
        {
          allowedOrigins: map(split(allowedOrigins, ','), origin => trim(origin))
          allowedMethods: names.upload.allowedMethods
          allowedHeaders: names.upload.allowedHeaders
          exposedHeaders: names.upload.exposedHeaders
          maxAgeInSeconds: names.upload.maxAgeInSeconds
        }
      ]
    }
  }
}

resource containers 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = [for container in items(names.containers): {
  parent: documentsBlobs
  name: container.value
}]

resource deadLetters 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: documentsBlobs
  name: deadLetterContainerName
}

resource documentsQueues 'Microsoft.Storage/storageAccounts/queueServices@2024-01-01' = {
  parent: documents
  name: 'default'
}

resource queues 'Microsoft.Storage/storageAccounts/queueServices/queues@2024-01-01' = [for queue in names.queues: {
  parent: documentsQueues
  name: queue
}]

// No rule has a prefix that a blob of the ledger begins with: a record that is gone forgets that its call was made.
// https://learn.microsoft.com/en-us/azure/storage/blobs/lifecycle-management-overview
resource lifecycle 'Microsoft.Storage/storageAccounts/managementPolicies@2024-01-01' = {
  parent: documents
  name: 'default'
  properties: {
    policy: {
      rules: [
        {
          name: 'documents-and-receipts'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['${names.containers.incoming}/', '${names.containers.receipts}/']
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: 400
                }
              }
              version: {
                delete: {
                  daysAfterCreationGreaterThan: 30
                }
              }
            }
          }
        }
        {
          name: 'consents'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['${names.containers.ledger}/${names.consents}']
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: 1
                }
              }
              version: {
                delete: {
                  daysAfterCreationGreaterThan: 1
                }
              }
            }
          }
        }
        {
          name: 'dead-letters'
          enabled: true
          type: 'Lifecycle'
          definition: {
            filters: {
              blobTypes: ['blockBlob']
              prefixMatch: ['${deadLetterContainerName}/']
            }
            actions: {
              baseBlob: {
                delete: {
                  daysAfterModificationGreaterThan: 30
                }
              }
              version: {
                delete: {
                  daysAfterCreationGreaterThan: 30
                }
              }
            }
          }
        }
      ]
    }
  }
  dependsOn: [documentsBlobs] // the policy is refused while the blob service is being changed
}

resource host 'Microsoft.Storage/storageAccounts@2024-01-01' = {
  name: 'sthost${token}'
  location: location
  tags: tags
  kind: 'StorageV2'
  sku: {
    name: 'Standard_LRS'
  }
  properties: {
    allowSharedKeyAccess: false
    allowBlobPublicAccess: false
    allowCrossTenantReplication: false
    defaultToOAuthAuthentication: true
    minimumTlsVersion: 'TLS1_2'
    supportsHttpsTrafficOnly: true
  }
}

resource hostBlobs 'Microsoft.Storage/storageAccounts/blobServices@2024-01-01' = {
  parent: host
  name: 'default'
}

resource packages 'Microsoft.Storage/storageAccounts/blobServices/containers@2024-01-01' = {
  parent: hostBlobs
  name: packageContainerName
}

// One topic for each source; with the name of the one that exists, that one is taken over and gets the identity.
// https://learn.microsoft.com/en-us/azure/event-grid/system-topics
resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' = {
  name: systemTopicName
  location: location
  tags: tags
  identity: {
    type: 'SystemAssigned'
  }
  properties: {
    source: documents.id
    topicType: 'Microsoft.Storage.StorageAccounts'
  }
}

output documentsAccountName string = documents.name
output hostAccountName string = host.name
output packageContainer string = packages.name
output deadLetterContainer string = deadLetters.name
output systemTopicName string = topic.name
output topicPrincipalId string = topic.identity.principalId
