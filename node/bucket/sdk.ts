/** What we use of the SDK. */
export type S3Sdk = Awaited<ReturnType<typeof loadS3Sdk>>;

/** Loads the SDK: 60 ms and 30 MB that a node without a bucket is spared. */
export async function loadS3Sdk() {
  const [client, { Upload }, { getSignedUrl }] = await Promise.all([
    import('@aws-sdk/client-s3'),
    import('@aws-sdk/lib-storage'),
    import('@aws-sdk/s3-request-presigner'),
  ]);
  return { ...client, Upload, getSignedUrl };
}
