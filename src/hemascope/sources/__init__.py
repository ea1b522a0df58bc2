"""Files to fields: ``discover`` names the images, ``raster`` decodes one, ``metadata_scale`` reads its scale."""
