// Tells the app of what is dropped. Deployed after the code (postdeploy.py): the key in the address exists only
// once the app has indexed its functions.
// https://learn.microsoft.com/en-us/azure/azure-functions/functions-event-grid-blob-trigger
// https://learn.microsoft.com/en-us/azure/templates/microsoft.eventgrid/systemtopics/eventsubscriptions
param appName string
param systemTopicName string
param documentsAccountName string
param deadLetterContainer string

var names = loadJsonContent('names.json')

resource app 'Microsoft.Web/sites@2024-04-01' existing = {
  name: appName
}

resource documents 'Microsoft.Storage/storageAccounts@2024-01-01' existing = {
  name: documentsAccountName
}

resource topic 'Microsoft.EventGrid/systemTopics@2025-02-15' existing = {
  name: systemTopicName
}

resource incoming 'Microsoft.EventGrid/systemTopics/eventSubscriptions@2025-02-15' = {
  parent: topic
  name: 'incoming-blobs'
  properties: {
    eventDeliverySchema: 'EventGridSchema'
    destination: {
      endpointType: 'WebHook'
      properties: {
        endpointUrl: 'https://${app.properties.defaultHostName}/runtime/webhooks/blobs?functionName=Host.Functions.${names.functions.blob}&code=${listKeys('${app.id}/host/default', '2024-04-01').systemKeys.blobs_extension}'
        maxEventsPerBatch: 1
      }
    }
    filter: {
      includedEventTypes: ['Microsoft.Storage.BlobCreated']
      // the slash at the end keeps the events of a container `incoming2` out
      subjectBeginsWith: '/blobServices/default/containers/${names.containers.incoming}/blobs/'
      advancedFilters: [
        {
          operatorType: 'StringEndsWith' // whatever the case of the letters
          key: 'subject'
          values: names.endings
        }
        {
          // an event of one of these means that all bytes are there
          // https://learn.microsoft.com/en-us/azure/event-grid/event-schema-blob-storage
          operatorType: 'StringIn'
          key: 'data.api'
          values: ['PutBlob', 'PutBlockList', 'CopyBlob', 'FlushWithClose', 'SftpCommit']
        }
      ]
    }
    // the most that there is: https://learn.microsoft.com/en-us/azure/event-grid/delivery-and-retry
    retryPolicy: {
      eventTimeToLiveInMinutes: 1440
      maxDeliveryAttempts: 30
    }
    deadLetterWithResourceIdentity: {
      identity: {
        type: 'SystemAssigned'
      }
      deadLetterDestination: {
        endpointType: 'StorageBlob'
        properties: {
          resourceId: documents.id
          blobContainerName: deadLetterContainer
        }
      }
    }
  }
}
