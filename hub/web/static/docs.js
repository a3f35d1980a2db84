// The API's description, drawn from the hub's own files.
(() => {
  const place = document.getElementById("swagger");
  window.SwaggerUIBundle({ url: place.dataset.schema, domNode: place, deepLinking: true, validatorUrl: null });
})();
