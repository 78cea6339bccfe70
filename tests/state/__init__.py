"""How a sweep stands: the document, its words, why sets wait."""
