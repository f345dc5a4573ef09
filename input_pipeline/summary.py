"""What packing prints when it is done."""


def summary(description: dict) -> str:
  """A table of the counts per class, then what a person should look at."""
  columns = ['labelled', 'unlabelled', 'test', 'skipped']
  entries = [
    (entry['name'], 'known' if entry['known'] else 'novel', entry['counts'])
    for entry in description['classes']
  ]
  unknown = description['truth_unknown']
  if 'no_face' in unknown:
    columns.append('no_face')
  if any(unknown.values()):
    entries.append(('(truth unknown)', '', unknown))
  total = {c: sum(counts[c] for *_, counts in entries) for c in columns}
  entries.append(('total', '', total))
  width = max(len(name) for name, *_ in entries)
  lines = [f'{"class":{width}}  {"":5}' + ''.join(f'{c:>12}' for c in columns)]
  for name, kind, counts in entries:
    cells = ''.join(f'{counts[c]:12,}' for c in columns)
    lines.append(f'{name:{width}}  {kind:5}{cells}')
  lines += [f'skipped: {e["why"]}' for e in description['skipped']]
  if total.get('no_face'):
    lines.append(f'no face was found in {total["no_face"]:,}: packed whole')
  for kind, found in description['duplicates'].items():
    if found['groups']:
      lines.append(
        f'the same image {kind.replace("_", " ")}: {found["groups"]:,}, such as'
      )
      lines += ['  ' + ' = '.join(ids[:3]) for ids in found['examples']]
  return '\n'.join(lines)
